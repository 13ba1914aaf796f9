package language

// PlainValue is for tests that hold documents against the JSON Schema.
var PlainValue = plainValue
