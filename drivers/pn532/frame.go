package pn532

import "errors"

// Sizes of frames: NXP UM0701-02, 6.2.1.
const (
	maxData   = 265         // TFI and at most 264 bytes in an extended frame
	maxFrame  = 8 + maxData // start code to DCS, with the longest header
	maxNormal = 255         // LEN of a normal frame
	tfiHost   = 0xD4        // frame identifier, host to chip
	tfiChip   = 0xD5        // frame identifier, chip to host
	tfiError  = 0x7F        // the only byte of an error frame
)

var (
	ackFrame  = []byte{0x00, 0x00, 0xFF, 0x00, 0xFF, 0x00}
	nackFrame = []byte{0x00, 0x00, 0xFF, 0xFF, 0x00, 0x00}
	// wakeUp is a preamble long enough for the chip to wake on its rising edges
	// before the start code comes; the same bytes that libnfc sends.
	wakeUp = []byte{0x55, 0x55, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
)

// ErrFrameSize: a command does not fit into one frame.
var ErrFrameSize = errors.New("command is longer than 264 bytes")

// FrameKind says what a [Frame] is.
type FrameKind uint8

// The kinds of frame (UM0701-02, 6.2.1).
const (
	FrameData    FrameKind = iota + 1 // an information frame, every checksum right
	FrameAck                          // the last frame was received
	FrameNack                         // the last frame shall be sent again
	FrameError                        // the chip could not make sense of a command
	FrameCorrupt                      // a frame with a right header whose data checksum is wrong
)

// Frame is one frame of the wire.
type Frame struct {
	Kind FrameKind
	Data []byte // FrameData only: TFI and what follows, without the checksum
}

// Parser finds frames in a stream of bytes, whatever pieces it comes in and
// whatever lies between them. Wherever a frame breaks off or a checksum is
// wrong it goes on one byte further, so that a true frame behind noise is
// found. It keeps at most one frame's worth of bytes. The zero value is ready.
type Parser struct {
	buf    [2 * maxFrame]byte // unread bytes; a frame fits even behind noise
	n      int
	frames []Frame
	data   []byte // what the frames of this Feed point into
}

// Feed takes in the next bytes of the stream and returns the frames that they
// complete. The frames and their data are valid until the next call.
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

func (p *Parser) begin() {
	p.frames, p.data = p.frames[:0], p.data[:0]
}

func (p *Parser) scan(flush bool) {
	i := 0
	for i < p.n {
		f, size, more := parse(p.buf[i:p.n])
		if more && !flush {
			break
		}
		if size == 0 {
			i++
			continue
		}
		if f.Kind == FrameCorrupt {
			size = 1
		}
		if f.Kind == FrameData {
			start := len(p.data)
			p.data = append(p.data, f.Data...)
			f.Data = p.data[start:len(p.data):len(p.data)]
		}
		p.frames = append(p.frames, f)
		i += size
	}
	p.n = copy(p.buf[:], p.buf[i:p.n])
}

// parse reads a frame that begins at b[0] with the start code 00 FF. It returns
// its size without the postamble, which carries nothing and is not worth
// waiting for; size 0 means that no frame begins here, more that it is too
// early to tell.
func parse(b []byte) (f Frame, size int, more bool) {
	if b[0] != 0x00 {
		return Frame{}, 0, false
	}
	if len(b) < 2 {
		return Frame{}, 0, true
	}
	if b[1] != 0xFF {
		return Frame{}, 0, false
	}
	if len(b) < 4 {
		return Frame{}, 0, true
	}
	head, length := 4, int(b[2])
	switch {
	case b[2] == 0x00 && b[3] == 0xFF:
		return Frame{Kind: FrameAck}, 4, false
	case b[2] == 0xFF && b[3] == 0x00:
		return Frame{Kind: FrameNack}, 4, false
	case b[2] == 0xFF && b[3] == 0xFF:
		if len(b) < 7 {
			return Frame{}, 0, true
		}
		if b[4]+b[5]+b[6] != 0 {
			return Frame{}, 0, false
		}
		head, length = 7, int(b[4])<<8|int(b[5])
	case b[2]+b[3] != 0:
		return Frame{}, 0, false
	}
	if length == 0 || length > maxData {
		return Frame{}, 0, false
	}
	size = head + length + 1
	if len(b) < size {
		return Frame{}, 0, true
	}
	data := b[head : head+length]
	if sum(data)+b[size-1] != 0 {
		return Frame{Kind: FrameCorrupt}, size, false
	}
	if length == 1 && data[0] == tfiError {
		return Frame{Kind: FrameError}, size, false
	}
	if data[0] != tfiChip && data[0] != tfiHost {
		return Frame{}, 0, false // noise whose sums came out even by chance
	}
	return Frame{Kind: FrameData, Data: data}, size, false
}

// AppendFrame appends the information frame that carries data (TFI and what
// follows) to dst: a normal frame where it fits, else an extended one.
func AppendFrame(dst []byte, data ...byte) ([]byte, error) {
	n := len(data)
	switch {
	case n == 0 || n > maxData:
		return dst, ErrFrameSize
	case n <= maxNormal:
		dst = append(dst, 0x00, 0x00, 0xFF, byte(n), -byte(n))
	default:
		hi, lo := byte(n>>8), byte(n)
		dst = append(dst, 0x00, 0x00, 0xFF, 0xFF, 0xFF, hi, lo, -(hi + lo))
	}
	dst = append(dst, data...)
	return append(dst, -sum(data), 0x00), nil
}

func sum(b []byte) byte {
	var s byte
	for _, x := range b {
		s += x
	}
	return s
}
