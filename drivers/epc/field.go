package epc

import (
	"fmt"
	"strconv"
	"strings"
)

// kind says what a field holds.
type kind uint8

const (
	none   kind = iota // the scheme has no such field
	digits             // a fixed count of digits, leading zeros kept
	number             // digits without leading zeros
	text               // characters of 7 bits, ended by a zero or the field's end
)

// field is a part of a coding.
type field struct {
	name   string
	kind   kind
	bits   int
	length int // digits: how many; number: at most, 0 for what its bits hold; text: at most
}

// charBits is the size of a character on a tag.
const charBits = 7

// check reports whether the field can hold a value.
func (f field) check(value string) error {
	switch f.kind {
	case none:
		if value != "" {
			return refuse("serial number", value, "this scheme has none")
		}
	case digits:
		if len(value) != f.length || !isDigits(value) {
			return refuse(f.name, value, "must have %d digits", f.length)
		}
	case number:
		return f.checkNumber(value)
	case text:
		if value == "" || len(value) > f.length {
			return refuse(f.name, value, "has %d characters, must have 1 to %d", len(value), f.length)
		}
		for i := range len(value) {
			if !inCharset(value[i]) {
				return refuse(f.name, value, "has %q, which is not in GS1's set of 82 characters", value[i])
			}
		}
	}
	return nil
}

func (f field) checkNumber(value string) error {
	switch {
	case value == "" || !isDigits(value):
		return refuse(f.name, value, "must be a decimal number to fit %d bits", f.bits)
	case value[0] == '0' && value != "0":
		return refuse(f.name, value, "has a leading zero, which a number of %d bits does not keep", f.bits)
	case f.length > 0 && len(value) > f.length:
		return refuse(f.name, value, "has %d digits, at most %d follow this company prefix", len(value), f.length)
	}
	if n, err := strconv.ParseUint(value, 10, 64); err != nil || n > f.limit() {
		return refuse(f.name, value, "is above %d, the most that %d bits hold", f.limit(), f.bits)
	}
	return nil
}

// limit is the greatest number that the field's bits hold; they are below 64.
func (f field) limit() uint64 { return 1<<f.bits - 1 }

// put writes a value that check has passed.
func (f field) put(w *bitWriter, value string) {
	switch f.kind {
	case digits, number:
		n, _ := strconv.ParseUint(value, 10, 64) // empty for no digits: zero
		w.write(n, f.bits)
	case text:
		for i := range len(value) {
			w.write(uint64(value[i]), charBits)
		}
		w.skip(f.bits - charBits*len(value))
	}
}

// get reads a value that passes check.
func (f field) get(r *bitReader) (string, error) {
	var value string
	switch f.kind {
	case digits:
		value = fmt.Sprintf("%0*d", f.length, r.read(f.bits))
		if f.length == 0 { // a zero stands for nothing
			if value != "0" {
				return "", refuse(f.name, value, "must be zero after a company prefix of %d digits", longestPrefix)
			}
			value = ""
		}
	case number:
		value = strconv.FormatUint(r.read(f.bits), 10)
	case text:
		return f.getText(r)
	}
	return value, f.check(value)
}

func (f field) getText(r *bitReader) (string, error) {
	var value strings.Builder
	left := f.bits
	for left >= charBits && value.Len() < f.length {
		c := byte(r.read(charBits))
		left -= charBits
		if c == 0 {
			break
		}
		value.WriteByte(c)
	}
	for ; left > 0; left-- {
		if r.read(1) != 0 {
			return "", refuse(f.name, value.String(), "is followed by bits that are not zero")
		}
	}
	return value.String(), f.check(value.String())
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// bitWriter fills a slice of zeros from its first bit on.
type bitWriter struct {
	to  []byte
	pos int
}

func (w *bitWriter) write(n uint64, bits int) {
	for i := bits - 1; i >= 0; i-- {
		if n>>i&1 != 0 {
			w.to[w.pos/8] |= 0x80 >> (w.pos % 8)
		}
		w.pos++
	}
}

func (w *bitWriter) skip(bits int) { w.pos += bits }

// bitReader takes bits from the first one on; beyond the end they are zero.
type bitReader struct {
	from []byte
	pos  int
}

func (r *bitReader) read(bits int) uint64 {
	var n uint64
	for range bits {
		n <<= 1
		if i := r.pos / 8; i < len(r.from) && r.from[i]&(0x80>>(r.pos%8)) != 0 {
			n |= 1
		}
		r.pos++
	}
	return n
}
