package parity

// Visible is what readers see of a body.
var Visible = visible
