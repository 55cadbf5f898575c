package drivers

import (
	"context"
	"errors"
)

// Area names a part of a tag's memory.
type Area string

// The areas. Offsets into each are bytes from its first one.
const (
	// AreaUser is what is free for use. On ISO 14443 A tags: the user bytes in
	// order, with lock and configuration pages, manufacturer blocks and sector
	// trailers left out. On Gen2: bank 3.
	AreaUser Area = "user"
	// AreaEPC is bank 1 of a Gen2 tag from its CRC word on: CRC, PC, EPC.
	AreaEPC Area = "epc"
	// AreaTID is bank 2 of a Gen2 tag, which says what the chip is.
	AreaTID Area = "tid"
	// AreaReserved is bank 0 of a Gen2 tag: its passwords.
	AreaReserved Area = "reserved"
)

// Layout says what memory a tag has.
type Layout struct {
	Type  string       // of the chip, as its maker names it: "NTAG213", "MIFARE Classic 1K"
	Sizes map[Area]int // in bytes; an area that is missing does not exist or cannot be read
	NDEF  bool         // the user area is laid out for NDEF: a message in a TLV
	// NDEFSize is how many bytes of the user area, from its first, NDEF may use;
	// some tags keep the last few out of it. 0 without NDEF.
	NDEFSize int
}

// Memory is a [Reader] that also reads and writes what tags hold. It does so
// while its Run is under way, between two looks at the field; the tag has to be
// in the field, and its session goes on meanwhile.
//
// Errors wrap ErrTagGone, ErrNoArea, ErrLocked, ErrUnverified, ErrDown, ErrSilent
// or ErrProtocol, or are ctx's own. A tag may be lifted at any moment: what was
// written by then stays, so that what must be whole carries its own check.
type Memory interface {
	Reader
	// Layout looks at the chip of the tag.
	Layout(ctx context.Context, t Tag) (Layout, error)
	// ReadMemory fills b from an area, off bytes from its beginning.
	ReadMemory(ctx context.Context, t Tag, a Area, off int, b []byte) error
	// WriteMemory writes b to an area, off bytes from its beginning, and reads it
	// back. What shares a page or block with b keeps its value.
	WriteMemory(ctx context.Context, t Tag, a Area, off int, b []byte) error
}

// Errors of a tag's memory, wrapped with the tag, the area and the place.
var (
	// ErrTagGone: the tag is not in the field any more, or another one is.
	ErrTagGone = errors.New("tag has left the field")
	// ErrNoArea: the tag has no such area, or it ends before.
	ErrNoArea = errors.New("tag has no such memory")
	// ErrLocked: the tag refuses, since it is locked or wants a key or password.
	ErrLocked = errors.New("tag's memory is locked")
	// ErrUnverified: what was read back is not what was written.
	ErrUnverified = errors.New("tag did not keep what was written")
)
