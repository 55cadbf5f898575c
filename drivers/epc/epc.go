// Package epc reads and writes the Electronic Product Codes of GS1, as UHF tags
// hold them, labels print them and information systems exchange them. Source:
// GS1 EPC Tag Data Standard (TDS) 2.0, sections 6, 7, 12 and 14; GS1 Digital Link
// Standard: URI Syntax 1.4; GS1 General Specifications for check digits.
//
// An [Identity] is what a thing is. A [Tag] is an identity as a tag holds it:
// with a binary coding and a filter value. The same item has four names:
//
//	tag      3074257BF7194E4000001A85 = urn:epc:tag:sgtin-96:3.0614141.812345.6789
//	identity urn:epc:id:sgtin:0614141.812345.6789
//	elements (01)80614141123458(21)6789
//	link     https://id.gs1.org/01/80614141123458/21/6789
//
// Elements and links do not say how many of their digits are the company prefix,
// while tags and URNs do. Whoever parses the former has to know: it is 6 to 12,
// assigned by GS1 to the company, and a wrong one gives a well-formed identity of
// somebody else. Tags and URNs need no such hint.
//
// Everything here is a pure function of its input, which may be hostile: it is
// bounded, and refused with the field, its value and the rule that it breaks.
// Identities and tags only come from this package's functions, so each that is
// not zero is valid, and each has one spelling of every name.
package epc

import (
	"errors"
	"fmt"
)

// Scheme is a kind of thing that GS1 identifies.
type Scheme uint8

// The schemes, with what their Reference and Serial are.
const (
	// SGTIN: a trade item. Indicator digit and item reference; serial number of
	// 1 to 20 characters.
	SGTIN Scheme = iota + 1
	// SSCC: a logistic unit. Extension digit and serial reference; no Serial.
	SSCC
	// SGLN: a location. Location reference; extension of 1 to 20 characters, "0"
	// for none.
	SGLN
	// GRAI: a returnable asset. Asset type; serial number of 1 to 16 characters.
	GRAI
	// GIAI: an individual asset. Asset reference of at least 1 character, with the
	// prefix at most 30; no Serial.
	GIAI
	// GDTI: a document. Document type; serial number of 1 to 17 characters.
	GDTI
	// GSRN: the recipient of a service. Service reference; no Serial.
	GSRN
	// CPI: a component or part. Reference of digits, with the prefix at most 15,
	// and a number below 2^31: what CPI-96 can hold. References with letters need
	// CPI-var, which this package does not know.
	CPI
	// GID: none of GS1's keys. Manager number, object class and serial number,
	// below 2^28, 2^24 and 2^36; the manager number stands as the Prefix.
	GID
)

// String returns the name that URIs use: "sgtin", "sscc", …
func (s Scheme) String() string {
	for c := SGTIN96; c <= GID96; c++ {
		if l := c.layout(); l.scheme == s {
			return l.schemeName
		}
	}
	return fmt.Sprintf("scheme(%d)", uint8(s))
}

// ErrUnknown is wrapped where a header, URI or application identifier belongs to
// nothing that this package knows. It may be good all the same: tags also hold
// other codings, and identifiers that are no EPC.
var ErrUnknown = errors.New("no EPC of a known kind")

// FieldError says which part of an EPC breaks which rule.
type FieldError struct {
	Field string // "serial number", "company prefix", …
	Value string // as it was found, cut to a length that fits a line
	Rule  string // what it had to be
}

// longestQuote bounds what an error repeats of its input.
const longestQuote = 64

func refuse(field, value, rule string, args ...any) error {
	if len(value) > longestQuote {
		value = value[:longestQuote] + "…"
	}
	return &FieldError{Field: field, Value: value, Rule: fmt.Sprintf(rule, args...)}
}

// Error implements error.
func (e *FieldError) Error() string { return fmt.Sprintf("%s %q: %s", e.Field, e.Value, e.Rule) }

// Identity names one thing. It is comparable: equal identities are equal values.
// The zero Identity names nothing.
type Identity struct {
	scheme                    Scheme
	prefix, reference, serial string
}

// New returns an identity from its parts, unescaped and without check digits. The
// length of prefix says where it ends; the parts that a scheme does not have are
// empty. The error is a *[FieldError] or wraps [ErrUnknown].
func New(s Scheme, prefix, reference, serial string) (Identity, error) {
	l, ok := widest(s)
	if !ok {
		return Identity{}, fmt.Errorf("%w: %v", ErrUnknown, s)
	}
	id := Identity{s, prefix, reference, serial}
	if err := l.check(id); err != nil {
		return Identity{}, fmt.Errorf("%v: %w", s, err)
	}
	return id, nil
}

// Scheme says what kind of thing it is.
func (id Identity) Scheme() Scheme { return id.scheme }

// Prefix is the GS1 company prefix, 6 to 12 digits; the manager number of a GID.
func (id Identity) Prefix() string { return id.prefix }

// Reference is what follows the prefix, without its check digit; see [Scheme].
func (id Identity) Reference() string { return id.reference }

// Serial tells things of one reference apart; empty where the scheme has none.
func (id Identity) Serial() string { return id.serial }

// Tag returns the identity in the shortest coding that holds it: 96 bits where
// its serial number is a number without leading zeros that fits, else the long
// coding of its scheme. The filter, 0 to 7, is for readers that look for items,
// cases or pallets only (TDS section 10); a GID has none, and takes 0 only.
func (id Identity) Tag(filter uint8) (Tag, error) {
	var failed error
	for c := SGTIN96; c <= GID96; c++ {
		if c.layout().scheme != id.scheme {
			continue
		}
		t, err := NewTag(c, filter, id)
		if err == nil {
			return t, nil
		}
		failed = err // the last coding is the widest, so its error is the one that counts
	}
	if failed == nil {
		failed = fmt.Errorf("%w: %v", ErrUnknown, id.scheme)
	}
	return Tag{}, failed
}
