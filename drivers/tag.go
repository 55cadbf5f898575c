package drivers

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// MaxTagID is the longest identifier of a tag, in bytes: the longest EPC that
// the PC word of a Gen2 tag can announce (31 words).
const MaxTagID = 62

// Technology is the air interface that a tag speaks.
type Technology string

// The technologies that drivers report.
const (
	ISO14443A Technology = "iso14443a" // MIFARE, NTAG; 13.56 MHz
	LF125     Technology = "lf125"     // EM4100 and its kin; 125 kHz
	FDXB      Technology = "fdxb"      // ISO 11784/11785 FDX-B: animals, gas bottles, pallets; 134.2 kHz
	Gen2      Technology = "gen2"      // EPC Gen2, ISO 18000-63; UHF
	Code      Technology = "code"      // printed: a bar code or matrix code
)

// Tag identifies one tag. It is comparable: two reads of one tag are equal.
type Tag struct {
	ID         string // canonical: upper-case hex, two digits a byte, no separators; of a Code, see NewCode
	Technology Technology
}

// String returns the identifier.
func (t Tag) String() string { return t.ID }

// NewTag makes a Tag of the raw identifier that a reader reported. It refuses,
// with ErrTagID, what no tag has and broken readers report: an empty
// identifier, one beyond MaxTagID, and one of only 00 or only FF.
func NewTag(id []byte, tech Technology) (Tag, error) {
	switch {
	case len(id) == 0:
		return Tag{}, fmt.Errorf("%w: it is empty", ErrTagID)
	case len(id) > MaxTagID:
		return Tag{}, fmt.Errorf("%w: %d bytes, at most %d are possible", ErrTagID, len(id), MaxTagID)
	case uniform(id, 0x00), uniform(id, 0xFF):
		return Tag{}, fmt.Errorf("%w: %X is what a broken read looks like, not an identifier", ErrTagID, id)
	}
	return Tag{ID: strings.ToUpper(hex.EncodeToString(id)), Technology: tech}, nil
}

// ParseTag makes a Tag of an identifier as people write it: hex digits of
// either case, optionally separated by colons, spaces or hyphens between bytes.
func ParseTag(text string, tech Technology) (Tag, error) {
	id, err := hex.DecodeString(strings.NewReplacer(":", "", " ", "", "-", "").Replace(text))
	if err != nil {
		return Tag{}, fmt.Errorf("%w: %q is not hexadecimal, write it like 04A1B2C3D4E580", ErrTagID, text)
	}
	return NewTag(id, tech)
}

func uniform(b []byte, v byte) bool {
	for _, x := range b {
		if x != v {
			return false
		}
	}
	return true
}
