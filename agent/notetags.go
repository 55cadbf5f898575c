package agent

import (
	"context"
	"errors"
	"fmt"

	"traveler.example/drivers"
	"traveler.example/drivers/ndef"
	profiles "traveler.example/firmware-profiles"
	"traveler.example/ledger"
)

// NoteRecord is the type of the NDEF record that has a hand-off note. On a tag
// where the type does not fit beside the note, the record goes without it.
const NoteRecord = "traveler.example:note"

// tagNotes are the hand-off notes in the memory of tags. Readers whose profile
// does not want them have no entry; of readers that cannot it is nil.
type tagNotes map[string]drivers.Memory

var (
	errNoNotes  = errors.New("no notes are passed on at this reader")
	errNoMemory = errors.New("the reader cannot write tags")
)

// notesOf returns the notes on the tags of a gateway's readers; nil: the profile
// wants none.
func notesOf(sections []profiles.Reader, readers []drivers.Reader) Notes {
	n := tagNotes{}
	for _, s := range sections {
		if !s.Handoff {
			continue
		}
		n[s.Name] = nil
		for _, r := range readers {
			if m, can := r.(drivers.Memory); can && r.Info().Name == s.Name {
				n[s.Name] = m
			}
		}
	}
	if len(n) == 0 {
		return nil
	}
	return n
}

// ReadNote implements Notes.
func (n tagNotes) ReadNote(ctx context.Context, reader string, tag drivers.Tag) ([]byte, error) {
	m := n[reader]
	if m == nil {
		return nil, nil
	}
	data, err := ndef.ReadSlot(ctx, m, tag, NoteRecord)
	switch {
	case errors.Is(err, ndef.ErrTorn):
		return nil, err
	case errors.Is(err, ndef.ErrNoSlot), errors.Is(err, drivers.ErrNoArea):
		return nil, nil
	case err == nil && len(data) > ledger.MaxHandoff:
		return data[:ledger.MaxHandoff+1], nil // no note has so much: refused by its length
	}
	return data, err
}

// WriteNote implements Notes.
func (n tagNotes) WriteNote(ctx context.Context, reader string, tag drivers.Tag, note []byte) error {
	m, wanted := n[reader]
	switch {
	case !wanted:
		return errNoNotes
	case m == nil:
		return &tagKindError{"any tag", errNoMemory}
	}
	err := ndef.WriteSlot(ctx, m, tag, NoteRecord, note, ndef.Options{})
	for _, of := range [...]error{drivers.ErrNoArea, drivers.ErrLocked, ndef.ErrNoRoom, ndef.ErrUnformatted} {
		if errors.Is(err, of) {
			return &tagKindError{tagKindOf(ctx, m, tag), err}
		}
	}
	return err
}

// tagKindOf is what kind of tag it is, as far as that can be said.
func tagKindOf(ctx context.Context, m drivers.Memory, tag drivers.Tag) string {
	if l, err := m.Layout(ctx, tag); err == nil && l.Type != "" {
		return l.Type
	}
	return string(tag.Technology)
}

// tagKindError is what stands in the way of a note on a kind of tags: the next tag
// of this kind is no better.
type tagKindError struct {
	kind string
	err  error
}

// Error implements error.
func (e *tagKindError) Error() string { return fmt.Sprintf("%s: %v", e.kind, e.err) }

// Unwrap returns what stands in the way.
func (e *tagKindError) Unwrap() error { return e.err }
