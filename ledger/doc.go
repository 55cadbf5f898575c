// Package ledger is protocol 1 of Traveler: the rules by which the stations of
// a plant keep one history of every item without a leader.
//
// Every gateway seals its own chain of signed blocks; every item has a history
// of transactions that runs across those chains; witnesses sign which chain
// heads they hold. The package parses, verifies, seals and judges. It has no
// I/O, no clock and no goroutine: bytes and time come in, values go out.
//
// An object from outside passes through two doors. Parse reads bytes to a
// value: size limit, canonical form, every field. Verify then checks what the
// value claims: signature, roster, links. Raw bytes are kept and never encoded
// again, so a hash always speaks of what was signed.
//
// PROTOCOL.md beside this file states the format and the rules; testdata holds
// vectors for another implementation. Section numbers in comments are its.
package ledger

// Version is the protocol version in every object of this package.
const Version = 1
