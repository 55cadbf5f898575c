// Package nfctag reads and writes what ISO/IEC 14443 A tags hold: tags of type 2
// (MIFARE Ultralight, Ultralight C and EV1, NTAG21x and what resembles them) and
// MIFARE Classic (Mini, 1K, 4K). It speaks the commands of the tags; the chip of
// the reader carries them, through the small interface [Chip].
//
// A reader's driver embeds a [Memory], which makes it a [drivers.Memory]: it
// hands over requests to the goroutine that owns the chip, one [Job] at a time.
//
// The user area of a tag of type 2 begins with page 4 and ends before the
// dynamic lock bytes or configuration pages. That of a MIFARE Classic depends on
// its application directory (MAD, NXP AN10787): with sectors given to NDEF (NXP
// AN1305), it is their data blocks in order; with a directory but no such
// sectors, those of the sectors that the directory calls free; without one,
// every data block but the manufacturer's. Sector trailers are never part of it.
//
// Sources: NXP data sheets NTAG213/215/216 rev. 3.2, MF0ICU1, MF0ICU2,
// MF0ULX1, MF1S50yyX; NXP AN10833 (type identification); NFC Forum Type 2 Tag.
package nfctag

import (
	"context"
	"errors"
	"fmt"

	"traveler.example/drivers"
)

// ErrUnanswered: the tag did not do as it was told. It refused (NAK, failed
// authentication), said nothing in time, or its answer came damaged: chips
// cannot always tell these apart. The tag is idle or halted after it.
var ErrUnanswered = errors.New("tag does not answer as asked")

// Chip carries commands to the one tag that it has activated. An error that
// wraps neither ErrUnanswered nor drivers.ErrTagGone is trouble of the chip
// itself and ends the operation.
type Chip interface {
	// Exchange sends one command and returns the tag's answer, valid until the
	// next call. CRC and parity, and the cipher of a MIFARE Classic, are added,
	// checked and taken off below. An ACK is an answer of no bytes.
	//
	// The 18 bytes A0, block, data are one command: where the chip does not know
	// it itself, its driver sends the two parts one after the other.
	Exchange(ctx context.Context, command []byte) ([]byte, error)
	// Authenticate opens the sector of a block of a MIFARE Classic, until the
	// next sector is opened or the tag is selected anew.
	Authenticate(ctx context.Context, block byte, kind KeyKind, key Key) error
	// Reselect wakes the tag and activates it again. It wraps drivers.ErrTagGone
	// if the tag, known by its identifier, does not answer.
	Reselect(ctx context.Context) error
}

// Activation is what a tag said when it was activated.
type Activation struct {
	ATQA [2]byte // as it is written: 00 44; high byte first
	SAK  byte
	// Longest is how many bytes of answer the chip passes on at once, without
	// CRC; FAST_READ is used as far as this goes. 0 means 16: READ is enough.
	Longest int
}

// Key is a key of a MIFARE Classic.
type Key [6]byte

// KeyKind tells the two keys of a sector apart. Its value is the command code.
type KeyKind byte

// The kinds of key (MF1S50yyX, 9.1).
const (
	KeyA KeyKind = 0x60
	KeyB KeyKind = 0x61
)

// The keys that are public and always tried.
var (
	KeyFactory = Key{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF} // of a card from its maker
	KeyMAD     = Key{0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5} // key A of the application directory (AN10787)
	KeyNDEF    = Key{0xD3, 0xF7, 0xD3, 0xF7, 0xD3, 0xF7} // key A of NDEF sectors (AN1305)
)

const (
	// tries is how often a command is sent before its failure counts.
	tries = 4
	// selections is how often a tag is looked for before it counts as gone: even
	// one that lies still is missed now and then.
	selections = 3
)

// Tag is the memory of one activated tag. It belongs to one goroutine.
type Tag struct {
	chip Chip
	act  Activation
	keys []Key
	mem  memory // nil until identified
}

// memory is the command set of a kind of tag over its user area.
type memory interface {
	layout() drivers.Layout
	// lost says that the tag was selected anew.
	lost()
	// writable makes sure that the tag takes writes at a place, as far as it says.
	writable(ctx context.Context, off, n int) error
	read(ctx context.Context, off int, b []byte) error
	write(ctx context.Context, off int, b []byte) error
	format(ctx context.Context) error
}

// New returns the memory of the tag that the chip has activated. Keys are tried
// on MIFARE Classic besides the public ones.
func New(chip Chip, act Activation, keys []Key) *Tag {
	return &Tag{chip: chip, act: act, keys: keys}
}

// Layout identifies the tag anew and says what memory it has. The error wraps
// drivers.ErrNoArea if it has none that this package knows.
func (t *Tag) Layout(ctx context.Context) (drivers.Layout, error) {
	t.mem = nil
	if err := t.identify(ctx); err != nil {
		return drivers.Layout{}, err
	}
	return t.mem.layout(), nil
}

// Read fills b from the user area, off bytes from its beginning.
func (t *Tag) Read(ctx context.Context, off int, b []byte) error {
	if err := t.fits(ctx, off, len(b)); err != nil || len(b) == 0 {
		return err
	}
	return t.mem.read(ctx, off, b)
}

// Writable makes sure that n bytes of the user area exist and are not known to
// be locked.
func (t *Tag) Writable(ctx context.Context, off, n int) error {
	if err := t.fits(ctx, off, n); err != nil || n == 0 {
		return err
	}
	return t.mem.writable(ctx, off, n)
}

// Write writes b to the user area, off bytes from its beginning, in ascending
// order, and reads it back. Pages and blocks that hold what they should already
// are not written, and what shares one with b keeps its value.
func (t *Tag) Write(ctx context.Context, off int, b []byte) error {
	if err := t.Writable(ctx, off, len(b)); err != nil || len(b) == 0 {
		return err
	}
	return t.mem.write(ctx, off, b)
}

// Format lays the user area out for NDEF, with an empty message. It is for
// blank tags: what was there is lost, and on tags of type 2 it cannot be undone.
func (t *Tag) Format(ctx context.Context) error {
	t.mem = nil
	if err := t.identify(ctx); err != nil {
		return err
	}
	err := t.mem.format(ctx)
	t.mem = nil // the layout is another one now
	return err
}

// fits makes sure that the user area holds n bytes from off on.
func (t *Tag) fits(ctx context.Context, off, n int) error {
	if err := t.identify(ctx); err != nil {
		return err
	}
	l := t.mem.layout()
	size, ok := l.Sizes[drivers.AreaUser]
	switch {
	case !ok:
		return fmt.Errorf("%w: no user area of this %s can be read", drivers.ErrNoArea, l.Type)
	case off < 0 || n < 0 || n > size || off > size-n:
		return fmt.Errorf("%w: %d bytes from %d on, the user area of %s has %d", drivers.ErrNoArea, n, off, l.Type, size)
	}
	return nil
}

// identify finds out what the tag is, unless that is known (AN10833).
func (t *Tag) identify(ctx context.Context) error {
	if t.mem != nil {
		return nil
	}
	var mem memory
	var err error
	switch t.act.SAK {
	case 0x00:
		mem, err = newType2(ctx, t)
	case 0x09:
		mem, err = newClassic(ctx, t, "MIFARE Mini", 5)
	case 0x08, 0x88, 0x28:
		mem, err = newClassic(ctx, t, "MIFARE Classic 1K", 16)
	case 0x18, 0x98, 0x38:
		mem, err = newClassic(ctx, t, "MIFARE Classic 4K", 40)
	default:
		err = fmt.Errorf("%w: nothing is known of tags with SAK %02X", drivers.ErrNoArea, t.act.SAK)
	}
	if err == nil {
		t.mem = mem
	}
	return err
}

// attach continues with a tag that was activated anew.
func (t *Tag) attach(chip Chip) {
	t.chip = chip
	if t.mem != nil {
		t.mem.lost()
	}
}

// reselect brings the tag back after a command that it did not answer.
func (t *Tag) reselect(ctx context.Context) error {
	if t.mem != nil {
		t.mem.lost()
	}
	var err error
	for range selections {
		if err = t.chip.Reselect(ctx); !errors.Is(err, drivers.ErrTagGone) && !errors.Is(err, ErrUnanswered) {
			return err
		}
	}
	if !errors.Is(err, drivers.ErrTagGone) {
		err = fmt.Errorf("%w: %w", drivers.ErrTagGone, err)
	}
	return err
}

// once sends a command whose answer has a known size.
func (t *Tag) once(ctx context.Context, size int, command ...byte) ([]byte, error) {
	answer, err := t.chip.Exchange(ctx, command)
	if err == nil && len(answer) != size {
		err = fmt.Errorf("%w: %d bytes, %d are expected", ErrUnanswered, len(answer), size)
	}
	if err != nil {
		return nil, fmt.Errorf("command % X: %w", command[:min(2, len(command))], err)
	}
	return answer, nil
}

// ask sends a command up to n times, with the tag selected anew in between and
// after the last failure. It is not for tags whose state matters.
func (t *Tag) ask(ctx context.Context, n, size int, command ...byte) ([]byte, error) {
	for try := 1; ; try++ {
		answer, err := t.once(ctx, size, command...)
		if !errors.Is(err, ErrUnanswered) {
			return answer, err
		}
		if lost := t.reselect(ctx); lost != nil {
			return nil, lost
		}
		if try >= n {
			return nil, err
		}
	}
}
