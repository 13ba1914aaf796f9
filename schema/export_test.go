package schema

// PlainValue is for tests that hold documents against the JSON Schema.
var PlainValue = plainValue
