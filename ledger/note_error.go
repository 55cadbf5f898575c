package ledger

import "fmt"

// NoteFault is a stable code: why a hand-off note is not gone by.
type NoteFault string

// Why a note is refused (PROTOCOL.md §16).
const (
	NoteTruncated    NoteFault = "truncated"    // bytes are missing at its end: the tag was lifted while it was written
	NoteMalformed    NoteFault = "malformed"    // it is no note
	NoteVersion      NoteFault = "version"      // it is a note of another version
	NoteNetwork      NoteFault = "network"      // neither author nor item are known here: of another network
	NoteAuthor       NoteFault = "author"       // no gateway here begins with its author's prefix
	NoteRevoked      NoteFault = "revoked"      // its author is revoked
	NoteUnknownItem  NoteFault = "unknown-item" // of an item whose intake is not here, so its signature cannot be checked
	NoteOtherItem    NoteFault = "other-item"   // of another item than those that the tag is on
	NoteOtherTag     NoteFault = "other-tag"    // written for another tag of the item, and copied
	NoteSignature    NoteFault = "signature"    // altered, copied from a tag not known here, or of another network
	NoteOld          NoteFault = "old"          // the item is known to be past it
	NoteOrder        NoteFault = "order"        // written under another order than the one known here
	NoteContradicted NoteFault = "contradicted" // its author's chain has another report in its place
)

// NoteError says why a note is not gone by.
type NoteError struct {
	Fault  NoteFault
	Detail string // in plain words
}

func (e *NoteError) Error() string { return fmt.Sprintf("hand-off note (%s): %s", e.Fault, e.Detail) }

func noteFault(f NoteFault, format string, args ...any) *NoteError {
	return &NoteError{Fault: f, Detail: fmt.Sprintf(format, args...)}
}

// Remedy says to the operator what to do with an item whose note is refused.
func (e *NoteError) Remedy() string {
	switch e.Fault {
	case NoteTruncated, NoteMalformed:
		return "Have the station before write it again, or wait for its report."
	case NoteVersion:
		return "Bring the programs of both stations to one version; until then wait for the report."
	case NoteAuthor:
		return "Connect this station once, so that it learns who has been let in."
	case NoteRevoked, NoteContradicted:
		return "Hold the item and call quality."
	case NoteUnknownItem:
		return "Leave the item here until this station hears from the others; do not take it in again."
	case NoteNetwork, NoteOtherItem, NoteOtherTag, NoteSignature:
		return "Compare the item with its printed id: the note was not written for this tag here."
	case NoteOrder:
		return "Leave the item here until this station hears from the others: its order has changed."
	}
	return "Wait for the report."
}
