package minisign

// BLAKE2b is what a signature of today is of.
var BLAKE2b = blake2b
