package emulate

import "bytes"

// m100Frames cuts what a host sends into commands, in the one framing that the
// module knows. A command whose checksum or end is wrong is passed over, as the
// firmware does.
type m100Frames struct {
	head, tail byte
	buf        []byte
}

// m100Command is a command of the host.
type m100Command struct {
	code   byte
	params []byte
}

// longestM100 bounds the parameters of a command.
const longestM100 = 160

func (h *m100Frames) feed(b []byte) []m100Command {
	h.buf = append(h.buf, b...)
	var commands []m100Command
	for {
		start := bytes.IndexByte(h.buf, h.head)
		if start < 0 {
			h.buf = h.buf[:0]
			return commands
		}
		h.buf = h.buf[start:]
		if len(h.buf) < 5 {
			return commands
		}
		n := int(h.buf[3])*256 + int(h.buf[4])
		if h.buf[1] != 0x00 || n > longestM100 {
			h.buf = h.buf[1:]
			continue
		}
		if len(h.buf) < n+7 {
			return commands
		}
		var check int
		for _, x := range h.buf[1 : 5+n] {
			check += int(x)
		}
		if h.buf[5+n] != byte(check%256) || h.buf[6+n] != h.tail {
			h.buf = h.buf[1:]
			continue
		}
		commands = append(commands, m100Command{h.buf[2], bytes.Clone(h.buf[5 : 5+n])})
		h.buf = h.buf[7+n:]
	}
}

// frame makes a frame of the module: type 1 answers a command, 2 tells of a tag.
func (h *m100Frames) frame(kind, code byte, params ...byte) []byte {
	f := append([]byte{h.head, kind, code, byte(len(params) / 256), byte(len(params) % 256)}, params...)
	check := 0
	for _, x := range f[1:] {
		check += int(x)
	}
	return append(f, byte(check), h.tail)
}
