// Package ndef reads and makes what the NFC Forum calls NDEF: messages of
// records, and the data area of a tag that holds one in a TLV. On top of that it
// keeps a slot, one record of ours beside those of others, in any tag's memory.
//
// All but [ReadSlot] and [WriteSlot] is pure. Bytes come from tags, which anybody
// can write: every parser says where they stop making sense, with an [Error],
// and takes memory in proportion to its input only.
//
// Sources: NFC Forum NDEF 1.0, Type 2 Tag 1.1, RTD Text 1.0, URI 1.0 and Smart
// Poster 1.0; the sections in comments are theirs.
package ndef

import (
	"errors"
	"fmt"
)

// ErrMalformed: bytes are not what the standard allows. Every [Error] is one.
var ErrMalformed = errors.New("malformed NDEF")

// Error says where bytes stop making sense.
type Error struct {
	Offset int // of the first byte concerned, from the beginning of what was parsed
	Reason string
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("%v at byte %d: %s", ErrMalformed, e.Offset, e.Reason)
}

// Is reports whether target is ErrMalformed.
func (e *Error) Is(target error) bool { return target == ErrMalformed }

func malformed(offset int, format string, args ...any) error {
	return &Error{Offset: offset, Reason: fmt.Sprintf(format, args...)}
}
