package epc

import "fmt"

// Coding is a way to hold an identity in bits.
type Coding uint8

// The codings of TDS section 14.6. Of two for one scheme the shorter comes first.
const (
	SGTIN96 Coding = iota + 1
	SGTIN198
	SSCC96
	SGLN96
	SGLN195
	GRAI96
	GRAI170
	GIAI96
	GIAI202
	GDTI96
	GDTI174
	GSRN96
	CPI96
	GID96
)

// String returns the name that tag URIs use: "sgtin-96", …
func (c Coding) String() string {
	if l := c.layout(); l.bits > 0 {
		return fmt.Sprintf("%s-%d", l.schemeName, l.bits)
	}
	return fmt.Sprintf("coding(%d)", uint8(c))
}

// Bits is how long the coding is. Tags hold it in words of 16 bits.
func (c Coding) Bits() int { return c.layout().bits }

// Scheme is what the coding holds.
func (c Coding) Scheme() Scheme { return c.layout().scheme }

// The shortest and longest company prefix; partition 0 is for the longest.
const (
	shortestPrefix = 6
	longestPrefix  = 12
	partitions     = longestPrefix - shortestPrefix + 1
)

// perPartition has a value for each partition, 0 to 6: for company prefixes of
// 12 to 6 digits.
type perPartition [partitions]int

// layout is what a coding looks like: eight bits of header, three of filter,
// three of partition, then company prefix, reference and serial, then zeros.
type layout struct {
	scheme     Scheme
	schemeName string
	header     byte
	bits       int

	reference  field
	references struct{ bits, length perPartition }
	serial     field
	general    bool // GID: neither filter nor partition
}

// widest returns the layout that holds every identity of a scheme.
func widest(s Scheme) (layout, bool) {
	for c := GID96; c >= SGTIN96; c-- {
		if l := c.layout(); l.scheme == s {
			return l, true
		}
	}
	return layout{}, false
}

// layout returns the tables of TDS section 14.6, by coding; zero for others.
func (c Coding) layout() layout {
	var l layout
	switch c {
	case SGTIN96, SGTIN198:
		l = layout{scheme: SGTIN, schemeName: "sgtin", header: 0x30, bits: 96}
		l.reference = field{name: "indicator and item reference", kind: digits}
		l.references.bits = perPartition{4, 7, 10, 14, 17, 20, 24}
		l.references.length = perPartition{1, 2, 3, 4, 5, 6, 7}
		l.serial = field{name: "serial number", kind: number, bits: 38}
		if c == SGTIN198 {
			l.header, l.bits = 0x36, 198
			l.serial = field{name: "serial number", kind: text, bits: 140, length: 20}
		}
	case SSCC96, GSRN96:
		l = layout{scheme: SSCC, schemeName: "sscc", header: 0x31, bits: 96}
		l.reference = field{name: "extension digit and serial reference", kind: digits}
		if c == GSRN96 {
			l.scheme, l.schemeName, l.header = GSRN, "gsrn", 0x2D
			l.reference.name = "service reference"
		}
		l.references.bits = perPartition{18, 21, 24, 28, 31, 34, 38}
		l.references.length = perPartition{5, 6, 7, 8, 9, 10, 11}
	case SGLN96, SGLN195, GDTI96, GDTI174:
		l = sglnOrGDTI(c)
	case GRAI96, GRAI170:
		l = layout{scheme: GRAI, schemeName: "grai", header: 0x33, bits: 96}
		l.reference = field{name: "asset type", kind: digits}
		l.references.bits = perPartition{4, 7, 10, 14, 17, 20, 24}
		l.references.length = perPartition{0, 1, 2, 3, 4, 5, 6}
		l.serial = field{name: "serial number", kind: number, bits: 38}
		if c == GRAI170 {
			l.header, l.bits = 0x37, 170
			l.serial = field{name: "serial number", kind: text, bits: 112, length: 16}
		}
	case GIAI96:
		l = layout{scheme: GIAI, schemeName: "giai", header: 0x34, bits: 96}
		l.reference = field{name: "asset reference", kind: number}
		l.references.bits = perPartition{42, 45, 48, 52, 55, 58, 62}
		l.references.length = perPartition{13, 14, 15, 16, 17, 18, 19}
	case GIAI202:
		l = layout{scheme: GIAI, schemeName: "giai", header: 0x38, bits: 202}
		l.reference = field{name: "asset reference", kind: text}
		l.references.bits = perPartition{148, 151, 154, 158, 161, 164, 168}
		l.references.length = perPartition{18, 19, 20, 21, 22, 23, 24}
	case CPI96:
		l = layout{scheme: CPI, schemeName: "cpi", header: 0x3C, bits: 96}
		l.reference = field{name: "component or part reference", kind: number}
		l.references.bits = perPartition{11, 14, 17, 21, 24, 27, 31}
		l.references.length = perPartition{3, 4, 5, 6, 7, 8, 9}
		l.serial = field{name: "serial number", kind: number, bits: 31}
	case GID96:
		l = layout{scheme: GID, schemeName: "gid", header: 0x35, bits: 96, general: true}
		l.reference = field{name: "object class", kind: number, bits: 24}
		l.serial = field{name: "serial number", kind: number, bits: 36}
	}
	return l
}

// sglnOrGDTI returns the layouts of locations and documents, which differ little.
func sglnOrGDTI(c Coding) layout {
	l := layout{scheme: SGLN, schemeName: "sgln", header: 0x32, bits: 96}
	l.reference = field{name: "location reference", kind: digits}
	l.references.bits = perPartition{1, 4, 7, 11, 14, 17, 21}
	l.references.length = perPartition{0, 1, 2, 3, 4, 5, 6}
	l.serial = field{name: "location extension", kind: number, bits: 41}
	if c == GDTI96 || c == GDTI174 {
		l.scheme, l.schemeName, l.header = GDTI, "gdti", 0x2C
		l.reference.name, l.serial.name = "document type", "serial number"
	}
	switch c {
	case SGLN195:
		l.header, l.bits = 0x39, 195
		l.serial = field{name: l.serial.name, kind: text, bits: 140, length: 20}
	case GDTI174:
		l.header, l.bits = 0x3E, 174
		l.serial = field{name: l.serial.name, kind: text, bits: 119, length: 17}
	}
	return l
}

// prefixOf returns the field of the company prefix in a partition.
func (l layout) prefixOf(partition int) field {
	if l.general {
		return field{name: "manager number", kind: number, bits: 28}
	}
	bits := perPartition{40, 37, 34, 30, 27, 24, 20}
	return field{name: "company prefix", kind: digits, bits: bits[partition], length: longestPrefix - partition}
}

// referenceOf returns the field of the reference in a partition.
func (l layout) referenceOf(partition int) field {
	f := l.reference
	if !l.general {
		f.bits, f.length = l.references.bits[partition], l.references.length[partition]
	}
	return f
}

// partition returns the partition of an identity.
func (l layout) partition(id Identity) (int, error) {
	if l.general {
		return 0, nil
	}
	if n := len(id.prefix); n < shortestPrefix || n > longestPrefix {
		return 0, refuse("company prefix", id.prefix, "has %d characters, must have %d to %d digits", n, shortestPrefix, longestPrefix)
	}
	return longestPrefix - len(id.prefix), nil
}

// check reports whether the layout can hold an identity.
func (l layout) check(id Identity) error {
	p, err := l.partition(id)
	if err != nil {
		return err
	}
	if err := l.prefixOf(p).check(id.prefix); err != nil {
		return err
	}
	if err := l.referenceOf(p).check(id.reference); err != nil {
		return err
	}
	return l.serial.check(id.serial)
}
