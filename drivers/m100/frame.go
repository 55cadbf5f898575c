package m100

import "fmt"

// Sizes of frames.
const (
	// maxParams bounds what a frame carries. The longest answer to a command of
	// this driver has 129 bytes: 32 words of memory behind the longest EPC.
	maxParams = 255
	overhead  = 7 // header, type, command, two bytes of length, checksum, end
	maxFrame  = maxParams + overhead
)

// Framing is the pair of bytes that stands around every frame. Modules of one
// family differ in nothing else: the M100, QM100 and YRM100 frame their commands
// with BB and 7E, the R200 with AA and DD.
type Framing uint8

// The framings.
const (
	FramingBB Framing = iota + 1 // BB … 7E
	FramingAA                    // AA … DD
)

// String returns the bytes around a frame, as documents write them.
func (f Framing) String() string {
	switch f {
	case FramingBB:
		return "BB..7E"
	case FramingAA:
		return "AA..DD"
	}
	return fmt.Sprintf("framing(%d)", uint8(f))
}

func (f Framing) ends() (head, tail byte) {
	if f == FramingAA {
		return 0xAA, 0xDD
	}
	return 0xBB, 0x7E
}

// FrameType says who speaks and why.
type FrameType byte

// The types of frame (protocol V2.1, 3.2).
const (
	TypeCommand  FrameType = iota // from the host
	TypeResponse                  // to a command; each has one but multiple polling
	TypeNotice                    // of a tag that was read
)

// failed is the command code of a response that says that a command failed.
const failed = 0xFF

// Frame is one frame of the wire whose checksum is right.
type Frame struct {
	Framing Framing
	Type    FrameType
	Command byte
	Params  []byte
}

// Parser finds frames in a stream of bytes, whatever pieces it comes in and
// whatever lies between them. It goes by the length that a frame announces,
// since its parameters may hold the bytes that begin and end frames. Wherever a
// frame breaks off or its checksum is wrong it goes on one byte further, so that
// a true frame behind noise is found. It keeps at most two frames' worth of
// bytes. The zero value is ready and takes both framings.
type Parser struct {
	// Framing limits the parser to one framing; 0 stands for both.
	Framing Framing

	buf    [2 * maxFrame]byte // unread bytes; a frame fits even behind noise
	n      int
	frames []Frame
	data   []byte // what the frames of this Feed point into
}

// Feed takes in the next bytes of the stream and returns the frames that they
// complete. The frames and their parameters are valid until the next call.
func (p *Parser) Feed(b []byte) []Frame {
	p.begin()
	for len(b) > 0 {
		n := copy(p.buf[p.n:], b)
		p.n += n
		b = b[n:]
		p.scan(false)
	}
	return p.frames
}

// Flush gives up on the frame under way, if any, and returns the frames that
// are found behind its beginning. Call it when the line has been quiet for
// longer than a frame may pause: noise that looks like a header must not hold
// back the true frames that it swallowed.
func (p *Parser) Flush() []Frame {
	p.begin()
	p.scan(true)
	return p.frames
}

// Reset forgets everything that was fed.
func (p *Parser) Reset() { p.begin(); p.n = 0 }

func (p *Parser) begin() { p.frames, p.data = p.frames[:0], p.data[:0] }

func (p *Parser) scan(flush bool) {
	i := 0
	for i < p.n {
		f, size, more := p.parse(p.buf[i:p.n])
		if more && !flush {
			break
		}
		if size == 0 || more {
			i++
			continue
		}
		start := len(p.data)
		p.data = append(p.data, f.Params...)
		f.Params = p.data[start:len(p.data):len(p.data)]
		p.frames = append(p.frames, f)
		i += size
	}
	p.n = copy(p.buf[:], p.buf[i:p.n])
}

// parse reads a frame that begins at b[0]. Size 0 means that no frame begins
// here, more that it is too early to tell.
func (p *Parser) parse(b []byte) (f Frame, size int, more bool) {
	framing := FramingBB
	if b[0] == 0xAA {
		framing = FramingAA
	}
	head, tail := framing.ends()
	if b[0] != head || (p.Framing != 0 && p.Framing != framing) {
		return Frame{}, 0, false
	}
	if len(b) > 1 && FrameType(b[1]) > TypeNotice {
		return Frame{}, 0, false
	}
	if len(b) < 5 {
		return Frame{}, 0, true
	}
	n := int(b[3])<<8 | int(b[4])
	if n > maxParams {
		return Frame{}, 0, false
	}
	size = n + overhead
	if len(b) < size {
		return Frame{}, 0, true
	}
	if b[size-1] != tail || b[size-2] != sum(b[1:size-2]) {
		return Frame{}, 0, false
	}
	return Frame{Framing: framing, Type: FrameType(b[1]), Command: b[2], Params: b[5 : size-2]}, size, false
}

// AppendFrame appends a frame to dst. Parameters beyond 255 bytes are an error:
// no command has so many.
func AppendFrame(dst []byte, f Frame) ([]byte, error) {
	n := len(f.Params)
	if n > maxParams {
		return dst, fmt.Errorf("frame of command %02X: %d bytes of parameters, at most %d are possible", f.Command, n, maxParams)
	}
	head, tail := f.Framing.ends()
	start := len(dst) + 1
	dst = append(dst, head, byte(f.Type), f.Command, byte(n>>8), byte(n))
	dst = append(dst, f.Params...)
	return append(dst, sum(dst[start:]), tail), nil
}

// sum is the checksum: the low byte of the sum of type, command, length and
// parameters. It is computed and compared, never taken from a document: several
// print wrong ones.
func sum(b []byte) byte {
	var s byte
	for _, x := range b {
		s += x
	}
	return s
}
