package ndef

import (
	"encoding/binary"
	"fmt"
)

// What blocks of a data area hold (Type 2 Tag 1.1, 2.3).
const (
	TagNull        = 0x00 // padding: one byte
	TagLock        = 0x01 // where lock bits lie
	TagMemory      = 0x02 // where reserved bytes lie
	TagNDEF        = 0x03 // a message
	TagProprietary = 0xFD
	TagTerminator  = 0xFE // nothing follows: one byte
)

const (
	longLength = 0xFF // instead of a length: two bytes of length follow
	maxShort   = 0xFE // the longest length in one byte
	maxLong    = 0xFFFE
)

// TLV is one block of a data area: what it holds, and where.
type TLV struct {
	Tag        byte
	Offset     int // of the tag byte
	Value, End int // where the value begins, and the first byte behind it
}

// ParseTLVs reads the blocks of a data area up to the terminator, which is
// included, or the end of the area. Padding is left out. With an error, the
// blocks before it are returned as well.
func ParseTLVs(area []byte) ([]TLV, error) {
	var blocks []TLV
	for at := 0; at < len(area); {
		t, err := parseTLV(area, at)
		if err != nil {
			return blocks, err
		}
		if at = t.End; t.Tag != TagNull {
			blocks = append(blocks, t)
		}
		if t.Tag == TagTerminator {
			break
		}
	}
	return blocks, nil
}

func parseTLV(area []byte, at int) (TLV, error) {
	t := TLV{Tag: area[at], Offset: at, Value: at + 1, End: at + 1}
	if t.Tag == TagNull || t.Tag == TagTerminator {
		return t, nil
	}
	c := cursor{b: area, at: at + 1}
	size := int(c.byte("length of a block"))
	if size == longLength {
		if b := c.take(2, "length of a block"); b != nil {
			size = int(binary.BigEndian.Uint16(b))
		}
		if c.err == nil && (size <= maxShort || size > maxLong) {
			return t, malformed(at, "length %04X in three bytes, 00FF to FFFE are possible", size)
		}
	}
	t.Value = c.at
	c.take(size, fmt.Sprintf("block %02X", t.Tag))
	t.End = c.at
	return t, c.err
}

// AppendTLV appends a block with a value to dst, with the shortest length.
func AppendTLV(dst []byte, tag byte, value []byte) ([]byte, error) {
	switch n := len(value); {
	case tag == TagNull || tag == TagTerminator:
		return dst, fmt.Errorf("%w: block %02X has no value", ErrMalformed, tag)
	case n > maxLong:
		return dst, fmt.Errorf("%w: a block of %d bytes, at most %d are possible", ErrMalformed, n, maxLong)
	case n > maxShort:
		dst = append(dst, tag, longLength, byte(n>>8), byte(n))
	default:
		dst = append(dst, tag, byte(n))
	}
	return append(dst, value...), nil
}

// Message returns the message in a data area: the value of its first NDEF
// block. It is nil if there is none, and empty if that holds no message.
func Message(area []byte) ([]byte, error) {
	blocks, err := ParseTLVs(area)
	for _, t := range blocks {
		if t.Tag == TagNDEF {
			return area[t.Value:t.End:t.End], nil // what is wrong behind it does not matter
		}
	}
	return nil, err
}

// reserved returns where the bytes lie that a lock or memory control block sets
// apart, as offsets into the data area, which begins at byte 16 of the tag
// (2.3.2, 2.3.3). Bytes outside the area are no matter of ours.
func reserved(area []byte, t TLV) (from, to int, err error) {
	v := area[t.Value:t.End]
	if len(v) != 3 {
		return 0, 0, malformed(t.Offset, "block %02X of %d bytes, it has 3", t.Tag, len(v))
	}
	const dataArea = 16
	from = int(v[0]>>4)<<(v[2]&0x0F) + int(v[0]&0x0F) - dataArea
	size := int(v[1])
	if size == 0 {
		size = 256
	}
	if t.Tag == TagLock {
		size = (size + 7) / 8 // it counts bits
	}
	return from, from + size, nil
}

// Container is the capability container of a tag of type 2 (2.1).
type Container struct {
	Major, Minor byte
	Size         int  // of the data area in bytes, a multiple of 8
	ReadOnly     bool // nothing may be written
}

const containerMagic = 0xE1

// ParseContainer reads a capability container. It refuses one of another major
// version than 1, and one that does not give free access to read.
func ParseContainer(b [4]byte) (Container, error) {
	c := Container{Major: b[1] >> 4, Minor: b[1] & 0x0F, Size: int(b[2]) * 8, ReadOnly: b[3]&0x0F == 0x0F}
	switch {
	case b[0] != containerMagic:
		return Container{}, malformed(0, "%02X is not the magic number E1", b[0])
	case c.Major != 1:
		return Container{}, malformed(1, "version %d.%d, only 1.x is known", c.Major, c.Minor)
	case c.Size == 0:
		return Container{}, malformed(2, "a data area of no bytes")
	case b[3]>>4 != 0:
		return Container{}, malformed(3, "access %02X: not everybody may read", b[3])
	case b[3]&0x0F != 0 && b[3]&0x0F != 0x0F:
		return Container{}, malformed(3, "access %02X: only 0 and F are known for writing", b[3])
	}
	return c, nil
}

// Bytes makes the container as it lies on a tag.
func (c Container) Bytes() ([4]byte, error) {
	if c.Major != 1 || c.Minor > 0x0F || c.Size <= 0 || c.Size%8 != 0 || c.Size > 255*8 {
		return [4]byte{}, fmt.Errorf("%w: container of version %d.%d with %d bytes, a multiple of 8 up to %d is possible",
			ErrMalformed, c.Major, c.Minor, c.Size, 255*8)
	}
	b := [4]byte{containerMagic, c.Major<<4 | c.Minor, byte(c.Size / 8), 0x00}
	if c.ReadOnly {
		b[3] = 0x0F
	}
	return b, nil
}
