package emulate

import "bytes"

// The frames of a PN532 as the chip sees them (UM0701-02, 6.2.1).
var (
	pn532Ack    = []byte{0x00, 0x00, 0xFF, 0x00, 0xFF, 0x00}
	pn532Syntax = []byte{0x00, 0x00, 0xFF, 0x01, 0xFF, 0x7F, 0x81, 0x00}
)

// hostFrame is one thing a host sends: ack, nack, or a command.
type hostFrame struct {
	ack, nack bool
	bad       bool   // a command with a wrong checksum or frame identifier
	command   []byte // code and parameters
}

// hostFrames cuts what a host sends into frames. While the chip sleeps it skips
// everything before a wake-up preamble.
type hostFrames struct {
	buf    []byte
	asleep bool
	woke   bool // since last asked
}

const longestHostFrame = 300

// feed takes in bytes and returns the frames that they complete.
func (h *hostFrames) feed(b []byte) []hostFrame {
	h.buf = append(h.buf, b...)
	var frames []hostFrame
	for {
		if h.asleep && !h.wake() {
			return frames
		}
		start := bytes.Index(h.buf, []byte{0x00, 0xFF})
		if start < 0 {
			h.buf = h.buf[max(0, len(h.buf)-1):]
			return frames
		}
		h.buf = h.buf[start:]
		f, size := cutHostFrame(h.buf)
		switch {
		case size == 0 && len(h.buf) > longestHostFrame, size < 0:
			h.buf = h.buf[1:]
		case size == 0:
			return frames
		default:
			frames = append(frames, f)
			h.buf = h.buf[size:]
		}
	}
}

func (h *hostFrames) wake() bool {
	i := bytes.IndexByte(h.buf, 0x55)
	if i < 0 {
		h.buf = h.buf[:0]
		return false
	}
	h.buf = h.buf[i:]
	h.asleep, h.woke = false, true
	return true
}

// cutHostFrame reads the frame whose start code b begins with. Size 0 means
// that more bytes are needed, below 0 that this is no frame.
func cutHostFrame(b []byte) (f hostFrame, size int) {
	if len(b) < 4 {
		return f, 0
	}
	head, n := 4, int(b[2])
	switch {
	case b[2] == 0x00 && b[3] == 0xFF:
		return hostFrame{ack: true}, 4
	case b[2] == 0xFF && b[3] == 0x00:
		return hostFrame{nack: true}, 4
	case b[2] == 0xFF && b[3] == 0xFF:
		if len(b) < 7 {
			return f, 0
		}
		if head, n = 7, int(b[4])*256+int(b[5]); byte(n>>8)+byte(n)+b[6] != 0 {
			return f, -1
		}
	case b[2]+b[3] != 0:
		return f, -1
	}
	if n == 0 || n > 265 {
		return f, -1
	}
	if len(b) < head+n+1 {
		return f, 0
	}
	check := b[head+n]
	for _, x := range b[head : head+n] {
		check += x
	}
	f = hostFrame{command: bytes.Clone(b[head+1 : head+n]), bad: check != 0 || b[head] != 0xD4 || n < 2}
	return f, head + n + 1
}

// chipFrame frames a response: its code and what follows.
func chipFrame(response []byte) []byte {
	n := len(response) + 1
	f := []byte{0x00, 0x00, 0xFF, byte(n), byte(256 - n)}
	if n > 255 {
		hi, lo := byte(n/256), byte(n%256)
		f = []byte{0x00, 0x00, 0xFF, 0xFF, 0xFF, hi, lo, byte(512 - int(hi) - int(lo))}
	}
	f = append(append(f, 0xD5), response...)
	check := 0xD5
	for _, x := range response {
		check += int(x)
	}
	return append(f, byte(-check), 0x00)
}
