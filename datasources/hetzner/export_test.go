package hetzner

// Decode is for fuzzing.
var Decode = decode
