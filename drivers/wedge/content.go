package wedge

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"traveler.example/drivers"
)

// Content says what the text of a line is.
type Content uint8

// The contents.
const (
	// ContentCode: a printed code, as it is ([drivers.NewCode]).
	ContentCode Content = iota
	// ContentHex: a tag's identifier in hex.
	ContentHex
	// ContentDecimal: the last four bytes of a tag's identifier as a decimal number
	// of ten digits, as most readers for access cards write it. What they leave
	// out cannot be known: such a tag has four bytes here, and five where
	// another reader tells all of it.
	ContentDecimal
)

// decimalDigits is how many digits four bytes have, with zeros in front.
const decimalDigits = 10

// tag makes a tag of a line.
func (c *Config) tag(text string) (drivers.Tag, error) {
	text, ok := strings.CutPrefix(text, c.Prefix)
	if ok {
		text, ok = strings.CutSuffix(text, c.Suffix)
	}
	if !ok {
		return drivers.Tag{}, fmt.Errorf("%w: line %.40q does not begin with %q and end with %q, as the profile says; set the reader or the profile",
			drivers.ErrProtocol, text, c.Prefix, c.Suffix)
	}
	switch c.Content {
	case ContentHex:
		tag, err := drivers.ParseTag(text, c.Technology)
		if err != nil || !c.Reversed {
			return tag, err
		}
		return drivers.ParseTag(reversed(tag.ID), c.Technology)
	case ContentDecimal:
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil || len(text) != decimalDigits {
			return drivers.Tag{}, fmt.Errorf("%w: line %.40q is no number of ten digits up to 4294967295; set the reader to that form (8H10D), or the content in the profile",
				drivers.ErrTagID, text)
		}
		id := binary.BigEndian.AppendUint32(nil, uint32(n))
		if c.Reversed {
			slices.Reverse(id)
		}
		return drivers.NewTag(id, c.Technology)
	}
	return drivers.NewCode(text)
}

// reversed turns the order of bytes in hex around.
func reversed(id string) string {
	var b strings.Builder
	for i := len(id); i > 0; i -= 2 {
		b.WriteString(id[i-2 : i])
	}
	return b.String()
}
