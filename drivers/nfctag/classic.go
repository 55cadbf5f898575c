package nfctag

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"traveler.example/drivers"
)

const (
	blockSize       = 16
	cmdClassicWrite = 0xA0
)

// classic is a MIFARE Classic. Each sector has to be opened with a key.
type classic struct {
	*Tag
	name    string
	sectors int
	blocks  []byte // the user area, in order
	ndef    bool
	hidden  bool // the first sector cannot be read, so that nothing is known

	opened int              // the sector that is open; -1: none
	with   opener           // and the key that opened it
	good   map[right]opener // what opened a sector last
}

// opener is a key with its kind.
type opener struct {
	kind KeyKind
	key  Key
}

// right is what a key gave: to read a sector, or to write it.
type right struct {
	sector int
	write  bool
}

func newClassic(ctx context.Context, t *Tag, name string, sectors int) (*classic, error) {
	c := &classic{Tag: t, name: name, sectors: sectors, opened: -1, good: map[right]opener{}}
	dir, err := c.directory(ctx)
	switch {
	case errors.Is(err, drivers.ErrLocked):
		c.hidden = true
		return c, nil
	case err != nil:
		return nil, err
	}
	c.blocks, c.ndef = userBlocks(dir, sectors)
	return c, nil
}

func (c *classic) layout() drivers.Layout {
	l := drivers.Layout{Type: c.name, Sizes: map[drivers.Area]int{}, NDEF: c.ndef}
	if !c.hidden && len(c.blocks) > 0 {
		l.Sizes[drivers.AreaUser] = len(c.blocks) * blockSize
	}
	if c.ndef {
		l.NDEFSize = len(c.blocks) * blockSize
	}
	return l
}

func (c *classic) lost() { c.opened = -1 }

// writable: what the access bits of a Classic allow depends on the key, and
// shows when it is written.
func (c *classic) writable(context.Context, int, int) error { return nil }

func (c *classic) read(ctx context.Context, off int, b []byte) error {
	some, err := c.span(ctx, off/blockSize, (off+len(b)-1)/blockSize)
	if err == nil {
		copy(b, some[off%blockSize:])
	}
	return err
}

// span reads whole blocks of the user area, the last one included.
func (c *classic) span(ctx context.Context, first, last int) ([]byte, error) {
	all := make([]byte, 0, (last-first+1)*blockSize)
	for _, block := range c.blocks[first : last+1] {
		b, err := c.get(ctx, block)
		if err != nil {
			return nil, err
		}
		all = append(all, b...)
	}
	return all, nil
}

// write writes the blocks that differ.
func (c *classic) write(ctx context.Context, off int, b []byte) error {
	first, last := off/blockSize, (off+len(b)-1)/blockSize
	old, err := c.span(ctx, first, last)
	if err != nil {
		return err
	}
	wanted := bytes.Clone(old)
	copy(wanted[off%blockSize:], b)
	for i, block := range c.blocks[first : last+1] {
		now := wanted[i*blockSize : (i+1)*blockSize]
		if bytes.Equal(now, old[i*blockSize:(i+1)*blockSize]) {
			continue
		}
		if err := c.putVerified(ctx, block, now); err != nil {
			return err
		}
	}
	return nil
}

// putVerified writes a block and reads it back while its sector is open.
func (c *classic) putVerified(ctx context.Context, block byte, b []byte) error {
	if err := c.put(ctx, block, b); err != nil {
		return err
	}
	now, err := c.get(ctx, block)
	if err != nil {
		return fmt.Errorf("read back: %w", err)
	}
	if !bytes.Equal(now, b) {
		return fmt.Errorf("%w: block %d holds % X", drivers.ErrUnverified, block, now)
	}
	return nil
}

func (c *classic) get(ctx context.Context, block byte) ([]byte, error) {
	b, err := c.transfer(ctx, block, false, blockSize, cmdRead, block)
	if err != nil {
		return nil, fmt.Errorf("read block %d: %w", block, err)
	}
	return bytes.Clone(b), nil
}

func (c *classic) put(ctx context.Context, block byte, b []byte) error {
	if _, err := c.transfer(ctx, block, true, 0, append([]byte{cmdClassicWrite, block}, b...)...); err != nil {
		return fmt.Errorf("write block %d: %w", block, err)
	}
	return nil
}

// transfer carries out a command on a block with the first key that gives the
// right to. All keys are tried again before the tag counts as locked: a failure
// may also be one of the air.
func (c *classic) transfer(ctx context.Context, block byte, write bool, size int, command ...byte) ([]byte, error) {
	sector, opened := sectorOf(block), false
	for range tries / 2 {
		for _, o := range c.openers(sector, write) {
			answer, opens, err := c.attempt(ctx, block, o, size, command)
			if err == nil {
				c.good[right{sector, write}] = o
				return answer, nil
			}
			if !errors.Is(err, ErrUnanswered) {
				return nil, err
			}
			opened = opened || opens
		}
	}
	if opened {
		return nil, fmt.Errorf("%w: no known key gives the right to", drivers.ErrLocked)
	}
	return nil, fmt.Errorf("%w: no known key opens sector %d", drivers.ErrLocked, sector)
}

// attempt carries out a command with one key: twice, if that opens the sector.
func (c *classic) attempt(ctx context.Context, block byte, o opener, size int, command []byte) (answer []byte, opens bool, err error) {
	for range 2 {
		if err = c.open(ctx, block, o); err == nil {
			opens = true
			if answer, err = c.once(ctx, size, command...); err == nil {
				return answer, true, nil
			}
		}
		if !errors.Is(err, ErrUnanswered) {
			return nil, opens, err
		}
		if err := c.reselect(ctx); err != nil {
			return nil, opens, err
		}
		if !opens {
			break
		}
	}
	return nil, opens, err
}

// openers returns the keys to try, the likeliest first.
func (c *classic) openers(sector int, write bool) []opener {
	keys := []Key{KeyNDEF, KeyFactory, KeyMAD}
	if sector == 0 || sector == madSector2 {
		keys = []Key{KeyMAD, KeyFactory, KeyNDEF}
	}
	keys = append(keys, c.keys...)
	var all []opener
	for _, r := range []right{{sector, write}, {sector, !write}} {
		if o, ok := c.good[r]; ok {
			all = append(all, o)
		}
	}
	for _, kind := range []KeyKind{KeyA, KeyB} {
		for _, key := range keys {
			all = append(all, opener{kind, key})
		}
	}
	seen := all[:0]
	for _, o := range all {
		if !slices.Contains(seen, o) {
			seen = append(seen, o)
		}
	}
	return seen
}

// open authenticates unless the sector is open with the same key.
func (c *classic) open(ctx context.Context, block byte, o opener) error {
	if sector := sectorOf(block); c.opened != sector || c.with != o {
		c.opened = -1
		if err := c.chip.Authenticate(ctx, block, o.kind, o.key); err != nil {
			return fmt.Errorf("open sector %d: %w", sector, err)
		}
		c.opened, c.with = sector, o
	}
	return nil
}

// The sectors of a Classic: 32 of 4 blocks, then 8 of 16 (MF1S70yyX, 8.6).
const (
	smallSectors = 32
	smallBlocks  = 4
	largeBlocks  = 16
)

func sectorOf(block byte) int {
	if block < smallSectors*smallBlocks {
		return int(block) / smallBlocks
	}
	return smallSectors + (int(block)-smallSectors*smallBlocks)/largeBlocks
}

// sectorBlocks returns the first block of a sector and its trailer.
func sectorBlocks(sector int) (first, trailer byte) {
	if sector < smallSectors {
		return byte(sector * smallBlocks), byte(sector*smallBlocks + smallBlocks - 1)
	}
	at := smallSectors*smallBlocks + (sector-smallSectors)*largeBlocks
	return byte(at), byte(at + largeBlocks - 1)
}
