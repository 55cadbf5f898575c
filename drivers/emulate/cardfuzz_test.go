package emulate

import (
	"maps"
	"slices"
	"testing"
)

// Whatever commands come, a tag neither panics nor grows, answers no more than
// the longest frame of its kind, keeps its identifier, and listens again after
// the next selection. Each command is preceded by its length; FF selects the tag
// anew, and FE opens the sector of a block with a key of delivery.
func FuzzCardCommands(f *testing.F) {
	for _, seed := range []string{
		"\x02\x30\x00\x06\xA2\x04\x01\x02\x03\x04\x03\x3A\x00\x2C\x01\x60",
		"\x06\xA2\x02\x00\x00\xFF\xFF\x06\xA2\x04\x01\x02\x03\x04\xFF\x06\xA2\x28\xFF\xFF\xFF\xFF",
		"\x02\xA0\x05\x10\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A\x0B\x0C\x0D\x0E\x0F\x10",
		"\x05\x1B\xFF\xFF\xFF\xFF\x06\xA2\x29\x04\x00\x00\x00\xFF\x02\x30\x04",
		"\x02\x1A\x00\x11\xAF\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A\x0B\x0C\x0D\x0E\x0F",
		"\x06\xA5\x00\xFF\xFF\xFF\x00\x02\x39\x00\x02\x3E\x02\x02\x3C\x00",
		"\xFE\x04\x02\x30\x07\x02\xA0\x04\x10\x64\x00\x00\x00\x9B\xFF\xFF\xFF\x64\x00\x00\x00\x05\xFA\x05\xFA\x02\xC1\x04\x04\x05\x00\x00\x00\x02\xB0\x05",
		"\xFE\x03\x02\xA0\x03\x10\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x30\x00",
	} {
		for kind := range len(cardKinds()) {
			f.Add(byte(kind), []byte(seed))
		}
	}
	kinds := slices.Sorted(maps.Keys(cardKinds()))
	f.Fuzz(func(t *testing.T, kind byte, stream []byte) {
		name := kinds[int(kind)%len(kinds)]
		c := testCard(t, longUID, name)
		size := len(c.chip.memory().bytes)
		for len(stream) > 0 {
			n := int(stream[0])
			stream = stream[1:]
			switch {
			case n == 0xFF:
				c.reset()
			case n == 0xFE && len(stream) > 0:
				c.authenticate(stream[0]&1 != 0, stream[0], [6]byte{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, [4]byte(c.uid[3:]))
				stream = stream[1:]
			default:
				n = min(n, len(stream))
				if r := c.command(stream[:n]); len(r.data) > 4*256 || r.kind != frame && len(r.data) > 0 {
					t.Fatalf("%s answers % x with %s", name, stream[:n], r.text())
				}
				stream = stream[n:]
			}
		}
		m := c.chip.memory()
		if len(m.bytes) != size || size > 0 && !slices.Equal(m.bytes[:3], c.uid[:3]) {
			t.Fatalf("%s holds %d bytes that begin % x", name, len(m.bytes), m.bytes[:min(4, len(m.bytes))])
		}
		c.reset()
		if name != "desfire" && name != "classic1k" && name != "classic4k" && c.chip.(*type2).end() > 3 {
			if r := c.command([]byte{0x30, 0x00}); r.kind != frame || len(r.data) != 16 {
				t.Fatalf("%s is lost: %s", name, r.text())
			}
		}
	})
}
