package emulate

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// classic is a MIFARE Classic of 1 or 4 KiB (NXP data sheets MF1S50YYX_V1 and
// MF1S70YYX_V1): blocks of 16 bytes in sectors of 4, and from block 128 on of 16;
// the last block of a sector, the trailer, holds its keys and rights.
type classic struct {
	eeprom

	sector  int // that is open; below 0 means none
	withB   bool
	step    byte // command whose second part is awaited; 0 means none
	block   int  // its block
	buffer  int32
	address byte // of the value in the buffer
	loaded  bool // the buffer holds a value
}

// The commands that have two parts, and the one that ends a calculation.
const (
	classicWrite     = 0xA0
	classicDecrement = 0xC0
	classicIncrement = 0xC1
	classicRestore   = 0xC2
	classicTransfer  = 0xB0
)

// transport are keys and rights of a sector as delivered: both keys FF, key A
// may do everything.
var transport = [16]byte{
	0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x07, 0x80, 0x69,
	0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
}

func newClassic(blocks int) func(uid []byte) silicon {
	return func(uid []byte) silicon {
		c := &classic{eeprom: eeprom{bytes: make([]byte, 16*blocks), unit: 16}, sector: -1}
		sak, atqa := byte(0x08), byte(0x04)
		if blocks > 64 {
			sak, atqa = 0x18, 0x02
		}
		first := slices.Clone(uid)
		if len(uid) == 4 {
			first = append(first, uid[0]^uid[1]^uid[2]^uid[3])
		} else {
			atqa |= 0x40
		}
		copy(c.bytes, append(first, sak, atqa, 0x00))
		for n := range c.units() {
			if n == trailerOf(sectorOf(n)) {
				copy(c.at(n), transport[:])
			}
		}
		return c
	}
}

func sectorOf(block int) int {
	if block < 128 {
		return block / 4
	}
	return 32 + (block-128)/16
}

func trailerOf(sector int) int {
	if sector < 32 {
		return 4*sector + 3
	}
	return 128 + 16*(sector-32) + 15
}

// condition returns the three access bits of a block, C1 C2 C3, and whether the
// trailer holds any: bits and their inverses have to agree, else the sector is
// lost for ever.
func (c *classic) condition(block int) (bits byte, ok bool) {
	t := c.at(trailerOf(sectorOf(block)))
	c1, c2, c3 := t[7]>>4, t[8]&0x0F, t[8]>>4
	if t[6] != ^(c2<<4|c1) || t[7]&0x0F != ^c3&0x0F {
		return 0, false
	}
	area := areaOf(block)
	return c1>>area&1<<2 | c2>>area&1<<1 | c3>>area&1, true
}

// areaOf is the place of a block's access bits in its trailer; in a large
// sector five blocks share one.
func areaOf(block int) int {
	if block < 128 {
		return block % 4
	}
	return block % 16 / 5
}

// key says which keys allow a thing.
type key byte

const (
	keyA key = 1 << iota
	keyB
	keyAB = keyA | keyB
)

// dataRights are the rights to a data block by its access bits (table 8):
// to read, write, increment, and decrement with transfer and restore.
var dataRights = [8]struct{ read, write, increment, decrement key }{
	0b000: {keyAB, keyAB, keyAB, keyAB},
	0b010: {read: keyAB},
	0b100: {read: keyAB, write: keyB},
	0b110: {keyAB, keyB, keyB, keyAB},
	0b001: {read: keyAB, decrement: keyAB},
	0b011: {read: keyB, write: keyB},
	0b101: {read: keyB},
	0b111: {},
}

// trailerRights are the rights to a trailer by its access bits (table 7). Key A
// is never read, and the access bits always are, by key A if not by both.
var trailerRights = [8]struct{ writeA, readBits, writeBits, readB, writeB key }{
	0b000: {writeA: keyA, readBits: keyA, readB: keyA, writeB: keyA},
	0b010: {readBits: keyA, readB: keyA},
	0b100: {writeA: keyB, readBits: keyAB, writeB: keyB},
	0b110: {readBits: keyAB},
	0b001: {keyA, keyA, keyA, keyA, keyA},
	0b011: {writeA: keyB, readBits: keyAB, writeBits: keyB, writeB: keyB},
	0b101: {readBits: keyAB, writeBits: keyB},
	0b111: {readBits: keyAB},
}

// may reports whether the key that opened the sector is among those.
func (c *classic) may(keys key) bool {
	if !c.withB {
		return keys&keyA != 0
	}
	bits, ok := c.condition(trailerOf(c.sector))
	// A key B that can be read is data and opens nothing.
	return ok && trailerRights[bits].readB == 0 && keys&keyB != 0
}

func (c *classic) reset() { c.sector, c.step, c.loaded = -1, 0, false }

// authenticate implements silicon.
func (c *classic) authenticate(withB bool, block byte, secret [6]byte) bool {
	c.reset()
	if int(block) >= c.units() {
		return false
	}
	trailer := c.at(trailerOf(sectorOf(int(block))))
	stored := trailer[:6]
	if withB {
		stored = trailer[10:]
	}
	if !bytes.Equal(stored, secret[:]) {
		return false
	}
	c.sector, c.withB = sectorOf(int(block)), withB
	return true
}

// command implements silicon.
func (c *classic) command(cmd []byte) reply {
	if c.step != 0 {
		step := c.step
		c.step = 0
		return c.second(step, cmd)
	}
	switch {
	case c.sector < 0:
		return gone()
	case len(cmd) != 2:
		return naked(c.no())
	case int(cmd[1]) >= c.units() || sectorOf(int(cmd[1])) != c.sector:
		return naked(c.no())
	}
	block := int(cmd[1])
	bits, ok := c.condition(block)
	if !ok {
		return naked(c.no())
	}
	trailer := block == trailerOf(c.sector)
	switch rights := dataRights[bits]; {
	case cmd[0] == 0x30 && trailer:
		return c.readTrailer(block, bits)
	case cmd[0] == 0x30 && c.may(rights.read):
		return framed(slices.Clone(c.at(block))...)
	case cmd[0] == classicWrite && block != 0 && (trailer && c.mayWriteTrailer(bits) || !trailer && c.may(rights.write)),
		cmd[0] == classicIncrement && !trailer && c.may(rights.increment) && c.isValue(block),
		(cmd[0] == classicDecrement || cmd[0] == classicRestore) && !trailer && c.may(rights.decrement) && c.isValue(block):
		c.step, c.block = cmd[0], block
		return acked()
	case cmd[0] == classicTransfer && block != 0 && !trailer && c.loaded && c.may(rights.decrement):
		return c.keep(block, valueBlock(c.buffer, c.address))
	}
	return naked(c.no())
}

// no is the NAK of what is not allowed, which also tells of the buffer.
func (c *classic) no() byte {
	if c.loaded {
		return nakArgument
	}
	return nakOperation
}

// second carries out the second part of a command. A calculation is answered by
// silence when it succeeds.
func (c *classic) second(step byte, b []byte) reply {
	if step == classicWrite {
		if len(b) != 16 {
			return naked(c.no())
		}
		return c.write(c.block, b)
	}
	if len(b) != 4 {
		return naked(c.no())
	}
	value := int64(int32(binary.LittleEndian.Uint32(c.at(c.block))))
	amount := int64(int32(binary.LittleEndian.Uint32(b)) & math.MaxInt32) // its sign is ignored
	switch step {
	case classicIncrement:
		value += amount
	case classicDecrement:
		value -= amount
	}
	if value > math.MaxInt32 || value < math.MinInt32 {
		return naked(c.no())
	}
	c.buffer, c.address, c.loaded = int32(value), c.at(c.block)[12], true
	return reply{}
}

// isValue reports whether a block is in the format of a value: three times the
// value, four times an address, inverted in part.
func (c *classic) isValue(block int) bool {
	b := c.at(block)
	return bytes.Equal(b, valueBlock(int32(binary.LittleEndian.Uint32(b)), b[12]))
}

func valueBlock(value int32, address byte) []byte {
	var b []byte
	for _, v := range []uint32{uint32(value), ^uint32(value), uint32(value)} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return append(b, address, ^address, address, ^address)
}

func (c *classic) keep(block int, b []byte) reply {
	if !c.program(block, b, false) {
		return gone()
	}
	return kept(block, c.at(block))
}

func (c *classic) readTrailer(block int, bits byte) reply {
	rights := trailerRights[bits]
	if !c.may(rights.readBits) {
		return naked(c.no())
	}
	b := slices.Clone(c.at(block))
	clear(b[:6])
	if !c.may(rights.readB) {
		clear(b[10:])
	}
	return framed(b...)
}

func (c *classic) mayWriteTrailer(bits byte) bool {
	rights := trailerRights[bits]
	return c.may(rights.writeA | rights.writeBits | rights.writeB)
}

// write writes a block, of a trailer the parts that the key may write.
func (c *classic) write(block int, b []byte) reply {
	if block == trailerOf(c.sector) {
		bits, _ := c.condition(block)
		rights, old := trailerRights[bits], c.at(block)
		b = slices.Clone(b)
		for _, part := range []struct {
			from, to int
			write    key
		}{{0, 6, rights.writeA}, {6, 10, rights.writeBits}, {10, 16, rights.writeB}} {
			if !c.may(part.write) {
				copy(b[part.from:part.to], old[part.from:part.to])
			}
		}
	}
	return c.keep(block, b)
}

// lock implements silicon: rights 010, read with either key and never written,
// for data blocks, and 110 for the trailer, so that they stay.
func (c *classic) lock(block int) error {
	for sector := range sectorOf(c.units()-1) + 1 {
		last := trailerOf(sector)
		if block >= 0 && sectorOf(block) != sector {
			continue
		}
		if block == last {
			return fmt.Errorf("block %d is the trailer of sector %d, name a block of data", block, sector)
		}
		t := c.at(last)
		c1, c2, c3 := t[7]>>4, t[8]&0x0F, t[8]>>4
		mask := byte(0b0111)
		if block >= 0 {
			mask = 1 << areaOf(block)
		}
		// The trailer's own bits, the highest, become 110.
		c1, c2, c3 = c1&^mask|8, c2|mask|8, c3&^mask&^8
		t[6], t[7], t[8] = ^(c2<<4 | c1), c1<<4|^c3&0x0F, c3<<4|c2
	}
	return nil
}
