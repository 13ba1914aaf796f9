package digitalocean

// Decode is for fuzzing.
var Decode = decode
