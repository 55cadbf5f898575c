package drivers

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxCode is the longest identifier of a printed code, in characters, after
// escaping.
const MaxCode = 96

// groupSeparator parts the fields of a GS1 code. It is the one control
// character that printed codes carry on purpose.
const groupSeparator = '\x1D'

// NewCode makes a Tag of the text of a printed code. Its identifier is the text
// itself, upper and lower case kept. Every character that is not printable
// ASCII, or is a space, %, ", ', `, <, > or \, becomes its UTF-8 bytes in
// percent-encoding (RFC 3986, 2.1), so that different texts stay different:
// "LOT 42" is LOT%2042.
//
// A code that spells the identifier of a tag, as printed beside one that may
// fail, has the same identifier as the tag.
//
// It refuses, with ErrTagID, a text that is empty, not UTF-8, longer than
// MaxCode once escaped, or holds a control character other than the group
// separator of GS1.
func NewCode(text string) (Tag, error) {
	if text == "" {
		return Tag{}, fmt.Errorf("%w: the code is empty", ErrTagID)
	}
	var id strings.Builder
	for i, r := range text {
		if r == utf8.RuneError || unicode.IsControl(r) && r != groupSeparator {
			return Tag{}, fmt.Errorf("%w: code %.40q has a character at byte %d that no code carries", ErrTagID, text, i)
		}
		if plainInCode(r) {
			id.WriteRune(r)
		} else {
			for _, b := range []byte(string(r)) {
				fmt.Fprintf(&id, "%%%02X", b)
			}
		}
		if id.Len() > MaxCode {
			return Tag{}, fmt.Errorf("%w: code %.40q… is too long, at most %d characters are possible", ErrTagID, text, MaxCode)
		}
	}
	return Tag{ID: id.String(), Technology: Code}, nil
}

func plainInCode(r rune) bool {
	return r > ' ' && r < 0x7F && !strings.ContainsRune("%\"'`<>\\", r)
}
