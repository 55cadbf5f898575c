package probe

import "testing"

// FuzzEar: whatever comes, in whatever pieces, is taken in, and a device is named
// only with its driver and a model that a terminal can show.
func FuzzEar(f *testing.F) {
	for _, seed := range []string{
		"", "\x020A00F1B2C38A\x03", "I4 A \"B021\x1b[2J\"\r\n", "S D       3.00 g\r\n", "ST,+00123.45  g\r\n", "QT,+00000012 PC\r\n",
		"\xbb\x01\x03\x00\x0b\x00M100 V1.00\x22\x7e", "\xbb\x02\x22\x00\x01\x00\x25\x7e", "\x00\x00\xff\x00\xff\x00\x00\x00\xff\x06\xfa\xd5\x03\x32\x01\x06\x07\xe8\x00",
		"\x00\x00\xff\xff\xff\x01", "\xbb\x01\x03\xff\xff",
	} {
		f.Add([]byte(seed), uint8(3))
	}
	f.Fuzz(func(t *testing.T, b []byte, piece uint8) {
		var e ear
		for len(b) > 0 {
			n := min(int(piece)+1, len(b))
			if found, ok := e.hear(b[:n]); ok {
				check(t, found)
			}
			b = b[n:]
		}
		if found, ok := e.flush(); ok {
			check(t, found)
		}
	})
}

func check(t *testing.T, found Finding) {
	t.Helper()
	if found.Driver == "" || found.Model == "" || found.Model != printable([]byte(found.Model)) {
		t.Errorf("found %q %q", found.Driver, found.Model)
	}
}
