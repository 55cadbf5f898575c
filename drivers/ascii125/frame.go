package ascii125

import (
	"encoding/binary"
	"fmt"

	"traveler.example/drivers"
)

// Framing is how a reader writes what it read.
type Framing uint8

// The framings. Each begins with STX and ends with ETX, and they differ in what
// follows the first 13 bytes, so that a reader need not say which one it speaks.
const (
	// RDM6300: 10 hex digits, 2 of checksum; 14 bytes. Sent every 65 ms while the
	// tag is there. Source: Itead Studio, RDM6300 specification.
	RDM6300 Framing = iota + 1
	// ID12: the same with CR LF before ETX; 16 bytes. Sent once when a tag comes.
	// Source: ID Innovations, ID-2LA, ID-12LA, ID-20LA data sheet, ASCII format.
	ID12
	// WL134: 26 hex digits, each number with its lowest digit first, two bytes of
	// checksum; 30 bytes. Source: data sheet of the WL-134A module, which reads
	// ISO 11785 FDX-B.
	WL134
)

// String returns the name of the reader that made the framing known.
func (f Framing) String() string {
	switch f {
	case RDM6300:
		return "RDM6300"
	case ID12:
		return "ID-12LA/20LA"
	case WL134:
		return "WL-134"
	}
	return fmt.Sprintf("framing(%d)", uint8(f))
}

// once reports whether a reader of this framing usually tells of a tag only
// when it comes.
func (f Framing) once() bool { return f != RDM6300 }

const (
	stx, etx = 0x02, 0x03
	cr, lf   = '\r', '\n'

	emDigits     = 12 // five bytes and their XOR
	animalDigits = 26 // national code 10, country 4, data flag, animal flag, reserved 10

	emSize     = 5  // bytes of an EM4100's identifier: version or customer, and number
	animalSize = 6  // bytes of country and national code: 10 and 38 bits
	maxFrame   = 30 // WL134
)

// Frame is one frame of the wire.
type Frame struct {
	Framing Framing
	// Damaged: the frame has its form, but its checksum is wrong or it holds a
	// value that cannot be. Nothing below is set then.
	Damaged bool
	// Animal and Data are the flags of ISO 11784 in an FDX-B code: the tag is for
	// an animal; more data follow in the tag's trailer.
	Animal, Data bool

	id [animalSize]byte
}

// Tag returns what the frame tells of: for EM4100 all five bytes, for FDX-B the
// 10 bits of the country and the 38 bits of the national code as six bytes. It
// refuses what [drivers.NewTag] refuses.
func (f Frame) Tag() (drivers.Tag, error) {
	if f.Framing == WL134 {
		return drivers.NewTag(f.id[:], drivers.FDXB)
	}
	return drivers.NewTag(f.id[:emSize], drivers.LF125)
}

// Parser finds frames in a stream of bytes, whatever pieces it comes in and
// whatever lies between them. Hex digits may be of either case, and each is
// checked. Where a frame breaks off or is damaged it goes on one byte further:
// a true frame is returned with its last byte, whatever came before. It keeps at
// most two frames' worth of bytes. The zero value is ready.
type Parser struct {
	buf    [2 * maxFrame]byte
	n      int
	noise  int
	frames []Frame
}

// Feed takes in the next bytes of the stream and returns the frames that they
// complete, valid until the next call.
func (p *Parser) Feed(b []byte) []Frame {
	p.frames = p.frames[:0]
	for len(b) > 0 {
		n := copy(p.buf[p.n:], b)
		p.n += n
		b = b[n:]
		p.scan()
	}
	return p.frames
}

// Noise returns how many bytes came since the last undamaged frame, those of a
// frame under way included.
func (p *Parser) Noise() int { return p.noise + p.n }

// Reset forgets everything that was fed.
func (p *Parser) Reset() { p.n, p.noise, p.frames = 0, 0, p.frames[:0] }

func (p *Parser) scan() {
	i := 0
	for i < p.n {
		f, size, more := parse(p.buf[i:p.n])
		if more {
			break
		}
		if size > 0 {
			p.frames = append(p.frames, f)
		}
		if size == 0 || f.Damaged {
			i++
			p.noise++
			continue
		}
		i += size
		p.noise = 0
	}
	p.n = copy(p.buf[:], p.buf[i:p.n])
}

// parse reads a frame that begins at b[0]. Size 0 means that none does, more
// that it is too early to tell.
func parse(b []byte) (f Frame, size int, more bool) {
	if b[0] != stx {
		return Frame{}, 0, false
	}
	digits := 0
	for digits < animalDigits && 1+digits < len(b) && isHex(b[1+digits]) {
		digits++
	}
	switch tail := b[1+digits:]; {
	case len(tail) == 0:
		return Frame{}, 0, true
	case digits == emDigits:
		return parseEM(b[1:1+digits], tail)
	case digits == animalDigits:
		return parseAnimal(b[1:1+digits], tail)
	}
	return Frame{}, 0, false
}

func parseEM(digits, tail []byte) (f Frame, size int, more bool) {
	end := []byte{cr, lf, etx}
	f.Framing = ID12
	if tail[0] == etx {
		f.Framing, end = RDM6300, end[2:]
	}
	for i, want := range end {
		if i == len(tail) {
			return Frame{}, 0, true
		}
		if tail[i] != want {
			return Frame{}, 0, false
		}
	}
	var sum byte
	for i := range emSize {
		f.id[i] = nibble(digits[2*i])<<4 | nibble(digits[2*i+1])
		sum ^= f.id[i]
	}
	if sum != nibble(digits[10])<<4|nibble(digits[11]) {
		f = Frame{Framing: f.Framing, Damaged: true}
	}
	return f, 1 + emDigits + len(end), false
}

func parseAnimal(digits, tail []byte) (f Frame, size int, more bool) {
	switch {
	case len(tail) < 3:
		return Frame{}, 0, true
	case tail[2] != etx:
		return Frame{}, 0, false
	}
	f.Framing = WL134
	var sum byte
	for _, d := range digits {
		sum ^= d
	}
	national, country := lowestFirst(digits[:10]), lowestFirst(digits[10:14])
	data, animal := digits[14], digits[15]
	if tail[0] != sum || tail[1] != ^sum || national >= 1<<38 || country >= 1<<10 ||
		data != '0' && data != '1' || animal != '0' && animal != '1' {
		f.Damaged = true
		return f, maxFrame, false
	}
	f.Data, f.Animal = data == '1', animal == '1'
	var code [8]byte
	binary.BigEndian.PutUint64(code[:], country<<38|national)
	copy(f.id[:], code[2:])
	return f, maxFrame, false
}

// lowestFirst reads a number whose lowest hex digit comes first.
func lowestFirst(digits []byte) (v uint64) {
	for i := len(digits) - 1; i >= 0; i-- {
		v = v<<4 | uint64(nibble(digits[i]))
	}
	return v
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'F' || 'a' <= c && c <= 'f'
}

// nibble returns the value of a hex digit.
func nibble(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
