package nfctag_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"traveler.example/drivers"
	"traveler.example/drivers/nfctag"
)

// fake is a small tag of type 2 behind a chip, with oddities that the emulated
// tags do not have.
type fake struct {
	pages   []byte
	version []byte // nil: GET_VERSION is not known
	fast    bool   // FAST_READ is known
	des     bool   // AUTHENTICATE of an Ultralight C is
	guarded int    // reads from this page on are refused; 0: none
	forgets bool   // writes are acknowledged and lost
	gone    bool
	deaf    int // how many selections fail
	fails   int // every so many commands one is not heard
	heard   int
	log     []string
}

func newFake(pages int, version ...byte) *fake {
	f := &fake{pages: make([]byte, pages*4), version: version, fast: len(version) > 0}
	copy(f.pages[12:], []byte{0xE1, 0x10, 0x12, 0x00})
	return f
}

func (f *fake) open() *nfctag.Tag {
	return nfctag.New(f, nfctag.Activation{ATQA: [2]byte{0x00, 0x44}, Longest: 64}, nil)
}

func (f *fake) Reselect(context.Context) error {
	if f.deaf > 0 {
		f.deaf--
		return drivers.ErrTagGone
	}
	if f.gone {
		return drivers.ErrTagGone
	}
	return nil
}

func (f *fake) Authenticate(context.Context, byte, nfctag.KeyKind, nfctag.Key) error {
	return nfctag.ErrUnanswered
}

func (f *fake) Exchange(_ context.Context, command []byte) ([]byte, error) {
	f.log = append(f.log, fmt.Sprintf("%X", command[:min(2, len(command))]))
	refused := fmt.Errorf("fake: %w", nfctag.ErrUnanswered)
	if f.heard++; f.gone || f.fails > 0 && f.heard%f.fails == 0 {
		return nil, refused
	}
	count := len(f.pages) / 4
	switch {
	case command[0] == 0x60 && f.version != nil:
		return f.version, nil
	case command[0] == 0x30 && int(command[1]) < count && (f.guarded == 0 || int(command[1]) < f.guarded):
		twice := append(bytes.Clone(f.pages), f.pages...)
		return twice[int(command[1])*4:][:16], nil
	case command[0] == 0x3A && f.fast && int(command[2]) < count && (f.guarded == 0 || int(command[2]) < f.guarded):
		return bytes.Clone(f.pages[int(command[1])*4 : int(command[2])*4+4]), nil
	case command[0] == 0x1A && f.des:
		return append([]byte{0xAF}, make([]byte, 8)...), nil
	case command[0] == 0xA2 && int(command[1]) < count && (f.guarded == 0 || int(command[1]) < f.guarded):
		if !f.forgets {
			copy(f.pages[int(command[1])*4:], command[2:6])
		}
		return nil, nil
	}
	return nil, refused
}

// ntag213 is what GET_VERSION of an NTAG213 answers (NTAG21x, table 28).
func ntag213() []byte { return []byte{0x00, 0x04, 0x04, 0x02, 0x01, 0x00, 0x0F, 0x03} }

// classicFake is a MIFARE Classic of one key for all, without rights.
type classicFake struct {
	blocks [][16]byte
	key    nfctag.Key
	opened int
}

func newClassicFake(blocks int, key nfctag.Key) *classicFake {
	c := &classicFake{blocks: make([][16]byte, blocks), key: key, opened: -1}
	for i := 3; i < blocks; i += 4 {
		copy(c.blocks[i][6:], []byte{0xFF, 0x07, 0x80, 0x69})
	}
	return c
}

func (c *classicFake) open(sak byte, keys ...nfctag.Key) *nfctag.Tag {
	return nfctag.New(c, nfctag.Activation{ATQA: [2]byte{0x00, 0x04}, SAK: sak}, keys)
}

func (c *classicFake) Reselect(context.Context) error { c.opened = -1; return nil }

func (c *classicFake) Authenticate(_ context.Context, block byte, _ nfctag.KeyKind, key nfctag.Key) error {
	if c.opened = -1; key != c.key || int(block) >= len(c.blocks) {
		return nfctag.ErrUnanswered
	}
	c.opened = int(block) / 4
	return nil
}

func (c *classicFake) Exchange(_ context.Context, command []byte) ([]byte, error) {
	block := int(command[1])
	if block/4 != c.opened {
		return nil, nfctag.ErrUnanswered
	}
	switch command[0] {
	case 0x30:
		return bytes.Clone(c.blocks[block][:]), nil
	case 0xA0:
		copy(c.blocks[block][:], command[2:])
		return nil, nil
	}
	return nil, errors.New("no command of a Classic")
}
