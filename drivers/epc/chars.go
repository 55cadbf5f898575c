package epc

import (
	"fmt"
	"strings"
)

// longestText bounds every text that is parsed; the longest link in use is much
// shorter.
const longestText = 2048

// inCharset reports whether c is in GS1's character set 82 (TDS Table A-1).
func inCharset(c byte) bool {
	switch {
	case c >= '0' && c <= '9', c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z':
		return true
	}
	return strings.IndexByte(`!"%&'()*+,-./:;<=>?_`, c) >= 0
}

// escapedInURN reports whether c is escaped in a URN (TDS Table A-1, URI form).
func escapedInURN(c byte) bool { return strings.IndexByte(`"%&/<>?`, c) >= 0 }

// escapedInLink reports whether c is escaped in a Digital Link: all that RFC 3986
// section 2.3 does not call unreserved.
func escapedInLink(c byte) bool {
	switch {
	case c >= '0' && c <= '9', c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z':
		return false
	}
	return strings.IndexByte("-._~", c) < 0
}

// escape writes %XX for each character that needs it.
func escape(s string, needs func(byte) bool) string {
	var b strings.Builder
	for i := range len(s) {
		if needs(s[i]) {
			fmt.Fprintf(&b, "%%%02X", s[i])
		} else {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// unescape undoes escape. Escapes in lower case are taken, too.
func unescape(name, s string) (string, error) {
	if strings.IndexByte(s, '%') < 0 {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) || hexValue(s[i+1]) < 0 || hexValue(s[i+2]) < 0 {
			return "", refuse(name, s, "has a %% without two hexadecimal digits behind it, a percent sign itself is %%25")
		}
		b.WriteByte(byte(hexValue(s[i+1])<<4 | hexValue(s[i+2])))
		i += 2
	}
	return b.String(), nil
}

// hexValue returns -1 for what is no hexadecimal digit.
func hexValue(c byte) int {
	if c >= 'A' && c <= 'F' {
		c += 'a' - 'A'
	}
	return strings.IndexByte("0123456789abcdef", c)
}

// sameEscapes reports whether s is what escape makes, but for the case of
// hexadecimal digits.
func sameEscapes(s, canonical string) bool {
	if len(s) != len(canonical) {
		return false
	}
	for i := range len(s) {
		inEscape := i >= 1 && canonical[i-1] == '%' || i >= 2 && canonical[i-2] == '%'
		if s[i] != canonical[i] && !(inEscape && s[i]|0x20 == canonical[i]|0x20) {
			return false
		}
	}
	return true
}
