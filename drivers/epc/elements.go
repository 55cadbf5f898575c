package epc

import (
	"fmt"
	"strings"
)

// element is a value under its application identifier.
type element struct{ ai, value string }

// key says under which application identifiers a scheme is printed.
type key struct {
	scheme     Scheme
	ai, serial string // serial is empty where the serial number stands behind the key itself
}

// keys follow TDS section 7.
func keys() []key {
	return []key{
		{SGTIN, "01", "21"},
		{SSCC, "00", ""},
		{SGLN, "414", "254"},
		{GRAI, "8003", ""},
		{GIAI, "8004", ""},
		{GDTI, "253", ""},
		{GSRN, "8018", ""},
		{CPI, "8010", "8011"},
	}
}

// noExtension is the extension of a location that has none (TDS 6.3.3).
const noExtension = "0"

// Elements returns the GS1 element string with its application identifiers in
// brackets, such as (01)80614141123458(21)6789. A bracket that is part of a serial
// number is written \(, as GS1's Barcode Syntax Engine does, since what follows it
// would else read as an application identifier. A GID has no such form: false.
func (id Identity) Elements() (string, bool) {
	var b strings.Builder
	for _, e := range id.elements() {
		fmt.Fprintf(&b, "(%s)%s", e.ai, strings.ReplaceAll(e.value, "(", `\(`))
	}
	return b.String(), b.Len() > 0
}

func (id Identity) elements() []element {
	switch id.scheme {
	case SGTIN:
		return []element{{"01", withCheck(id.reference[:1] + id.prefix + id.reference[1:])}, {"21", id.serial}}
	case SSCC:
		return []element{{"00", withCheck(id.reference[:1] + id.prefix + id.reference[1:])}}
	case SGLN:
		gln := element{"414", withCheck(id.prefix + id.reference)}
		if id.serial == noExtension {
			return []element{gln}
		}
		return []element{gln, {"254", id.serial}}
	case GRAI:
		return []element{{"8003", "0" + withCheck(id.prefix+id.reference) + id.serial}}
	case GIAI:
		return []element{{"8004", id.prefix + id.reference}}
	case GDTI:
		return []element{{"253", withCheck(id.prefix+id.reference) + id.serial}}
	case GSRN:
		return []element{{"8018", withCheck(id.prefix + id.reference)}}
	case CPI:
		return []element{{"8010", id.prefix + id.reference}, {"8011", id.serial}}
	}
	return nil
}

// CheckDigit returns the digit that GS1 keys end with, for the digits before it
// (GS1 General Specifications, section 7.9): weights 3 and 1 in turn from the
// last one on. What is not a digit counts as none.
func CheckDigit(s string) byte {
	sum := 0
	for i := range len(s) {
		if c := s[len(s)-1-i]; c >= '0' && c <= '9' {
			sum += int(c-'0') * (3 - i%2*2)
		}
	}
	return byte('0' + (10-sum%10)%10)
}

func withCheck(s string) string { return s + string(CheckDigit(s)) }

// ParseElements reads a GS1 element string with its application identifiers in
// brackets. prefixDigits is the length of the company prefix, 6 to 12, which the
// string does not tell; see the package's comment. Elements that name no part of
// the identity, such as a lot or an expiry date, are left out; \( is a bracket
// within a value. The error is a *[FieldError], or wraps [ErrUnknown] where no
// key of a known scheme is among them.
func ParseElements(s string, prefixDigits int) (Identity, error) {
	if len(s) > longestText {
		return Identity{}, refuse("element string", s, "has %d characters, more than %d", len(s), longestText)
	}
	var all []element
	for rest := s; rest != ""; {
		e, after, err := cutElement(rest)
		if err != nil {
			return Identity{}, err
		}
		all, rest = append(all, e), after
	}
	return identify(all, prefixDigits)
}

// cutElement takes the first element off.
func cutElement(s string) (_ element, rest string, err error) {
	ai, rest, ok := strings.Cut(strings.TrimPrefix(s, "("), ")")
	if s[0] != '(' || !ok || len(ai) < 2 || len(ai) > 4 || !isDigits(ai) {
		return element{}, "", refuse("element string", s, `must begin with an application identifier such as (01); a bracket in a value is \(`)
	}
	var value strings.Builder
	for rest != "" && rest[0] != '(' {
		if strings.HasPrefix(rest, `\(`) {
			rest = rest[1:]
		}
		value.WriteByte(rest[0])
		rest = rest[1:]
	}
	return element{ai, value.String()}, rest, nil
}

// identify finds the one key among elements, and its serial number.
func identify(all []element, prefixDigits int) (Identity, error) {
	if prefixDigits < shortestPrefix || prefixDigits > longestPrefix {
		return Identity{}, refuse("length of the company prefix", fmt.Sprint(prefixDigits), "must be %d to %d", shortestPrefix, longestPrefix)
	}
	values := map[string]string{}
	var found *key
	for _, e := range all {
		if _, twice := values[e.ai]; twice {
			return Identity{}, refuse("element", "("+e.ai+")", "stands there twice")
		}
		values[e.ai] = e.value
		for _, k := range keys() {
			if k.ai != e.ai {
				continue
			}
			if found != nil {
				return Identity{}, refuse("element", "("+e.ai+")", "names a second thing beside (%s)", found.ai)
			}
			found = &k
		}
	}
	if found == nil {
		return Identity{}, fmt.Errorf("%w: no key such as (01) or (00) among %d elements", ErrUnknown, len(all))
	}
	id, err := found.identity(values, prefixDigits)
	if err != nil {
		return Identity{}, fmt.Errorf("%v: %w", found.scheme, err)
	}
	return id, nil
}

// identity takes a key apart.
func (k key) identity(values map[string]string, n int) (Identity, error) {
	value, serial := values[k.ai], ""
	if k.serial != "" {
		var ok bool
		serial, ok = values[k.serial]
		switch {
		case ok:
		case k.scheme == SGLN:
			serial = noExtension
		default:
			return Identity{}, refuse("element", "("+k.ai+")"+value, "names a kind of thing, one thing needs its serial number under (%s)", k.serial)
		}
	}
	switch k.scheme {
	case GIAI, CPI:
		if len(value) < n {
			return Identity{}, refuse("element", "("+k.ai+")"+value, "is shorter than a company prefix of %d digits", n)
		}
		return New(k.scheme, value[:n], value[n:], serial)
	case GRAI:
		body, ok := strings.CutPrefix(value, "0")
		if !ok {
			return Identity{}, refuse("element", "("+k.ai+")"+value, "must begin with 0")
		}
		value = body
	}
	length := map[Scheme]int{SGTIN: 14, SSCC: 18, SGLN: 13, GRAI: 13, GDTI: 13, GSRN: 18}[k.scheme]
	if len(value) < length {
		return Identity{}, refuse("element", "("+k.ai+")"+value, "is shorter than the %d digits of its key", length)
	}
	body, behind := value[:length-1], value[length:]
	switch {
	case !isDigits(value[:length]):
		return Identity{}, refuse("element", "("+k.ai+")"+value, "must begin with %d digits", length)
	case value[length-1] != CheckDigit(body):
		return Identity{}, refuse("element", "("+k.ai+")"+value, "ends with check digit %c, must be %c: it was misread or mistyped", value[length-1], CheckDigit(body))
	}
	switch k.scheme {
	case GRAI, GDTI:
		serial, behind = behind, ""
	case SGTIN, SSCC: // the digit in front of the prefix belongs to the reference
		body = body[1:1+n] + body[:1] + body[1+n:]
	}
	if behind != "" {
		return Identity{}, refuse("element", "("+k.ai+")"+value, "has more than the %d digits of its key", length)
	}
	return New(k.scheme, body[:n], body[n:], serial)
}
