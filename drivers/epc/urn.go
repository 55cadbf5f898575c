package epc

import (
	"fmt"
	"strings"
)

const (
	identityStem = "urn:epc:id:"
	tagStem      = "urn:epc:tag:"
)

// String returns the pure identity URI, such as
// urn:epc:id:sgtin:0614141.812345.6789 (TDS section 6.3), or nothing for a zero
// Identity.
func (id Identity) String() string {
	if id == (Identity{}) {
		return ""
	}
	return identityStem + id.scheme.String() + ":" + id.parts()
}

// parts returns what identity and tag URIs have in common.
func (id Identity) parts() string {
	parts := id.prefix + "." + escape(id.reference, escapedInURN)
	if l, _ := widest(id.scheme); l.serial.kind != none {
		parts += "." + escape(id.serial, escapedInURN)
	}
	return parts
}

// String returns the tag URI, such as urn:epc:tag:sgtin-96:3.0614141.812345.6789
// (TDS section 12.3), or nothing for a zero Tag.
func (t Tag) String() string {
	l := t.coding.layout()
	switch {
	case l.bits == 0:
		return ""
	case l.general:
		return tagStem + t.coding.String() + ":" + t.id.parts()
	}
	return fmt.Sprintf("%s%v:%d.%s", tagStem, t.coding, t.filter, t.id.parts())
}

// ParseIdentity reads a pure identity URI. Characters have to be escaped exactly
// as the standard wants it, in either case of hexadecimal digits, so that one
// thing has one name. The error is a *[FieldError] or wraps [ErrUnknown].
func ParseIdentity(uri string) (Identity, error) {
	name, rest, err := cutURI(uri, identityStem)
	if err != nil {
		return Identity{}, err
	}
	for c := SGTIN96; c <= GID96; c++ {
		if l := c.layout(); l.schemeName == name {
			return parseParts(l, rest)
		}
	}
	return Identity{}, fmt.Errorf("%w: scheme %q", ErrUnknown, name)
}

// ParseTag reads a tag URI; for its characters and errors see [ParseIdentity].
func ParseTag(uri string) (Tag, error) {
	name, rest, err := cutURI(uri, tagStem)
	if err != nil {
		return Tag{}, err
	}
	for c := SGTIN96; c <= GID96; c++ {
		if c.String() != name {
			continue
		}
		var filter uint8
		l := c.layout()
		if !l.general {
			value, parts, _ := strings.Cut(rest, ".")
			if len(value) != 1 || value[0] < '0' || value[0] > '0'+maxFilter {
				return Tag{}, fmt.Errorf("%v: %w", c, refuse("filter", value, "must be 0 to %d", maxFilter))
			}
			filter, rest = value[0]-'0', parts
		}
		id, err := parseParts(l, rest)
		if err != nil {
			return Tag{}, err
		}
		return NewTag(c, filter, id)
	}
	return Tag{}, fmt.Errorf("%w: coding %q", ErrUnknown, name)
}

// cutURI returns the name behind a stem and what follows it.
func cutURI(uri, stem string) (name, rest string, err error) {
	if len(uri) > longestText {
		return "", "", refuse("URI", uri, "has %d characters, more than %d", len(uri), longestText)
	}
	body, ok := strings.CutPrefix(uri, stem)
	name, rest, cut := strings.Cut(body, ":")
	if !ok || !cut {
		return "", "", fmt.Errorf("%w: a URI does not begin with %s and a name", ErrUnknown, stem)
	}
	return name, rest, nil
}

// parseParts reads PREFIX.REFERENCE or PREFIX.REFERENCE.SERIAL. The last part may
// have dots of its own.
func parseParts(l layout, s string) (Identity, error) {
	want := 2
	if l.serial.kind != none {
		want = 3
	}
	parts := strings.SplitN(s, ".", want)
	if len(parts) != want {
		return Identity{}, fmt.Errorf("%v: %w", l.scheme, refuse("URI", s, "has %d parts between dots, must have %d", len(parts), want))
	}
	for i, part := range parts {
		value, err := unescape("URI", part)
		if err != nil {
			return Identity{}, fmt.Errorf("%v: %w", l.scheme, err)
		}
		if !sameEscapes(part, escape(value, escapedInURN)) {
			return Identity{}, fmt.Errorf("%v: %w", l.scheme, refuse("URI", part, `must escape the characters "%%&/<>? and no others`))
		}
		parts[i] = value
	}
	return New(l.scheme, parts[0], parts[1], strings.Join(parts[2:], ""))
}
