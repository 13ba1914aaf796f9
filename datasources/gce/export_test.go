package gce

// Read is for fuzzing: what is made of two answers.
var Read = read
