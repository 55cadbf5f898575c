package m100

import "fmt"

// Commands of the module (protocol V2.1, 4 and 5). Lock (82) and kill (65) are
// left out on purpose: what a station does to a tag for ever is not for a
// driver to offer.
const (
	cmdSetRegion    = 0x07
	cmdGetRegion    = 0x08
	cmdSelect       = 0x0C
	cmdSetQuery     = 0x0E
	cmdSetBaud      = 0x11
	cmdSelectMode   = 0x12
	cmdSleep        = 0x17
	cmdVersion      = 0x03
	cmdPoll         = 0x22 // also the code of a notice
	cmdMultiPoll    = 0x27
	cmdStopPoll     = 0x28
	cmdRead         = 0x39
	cmdWrite        = 0x49
	cmdSetPower     = 0xB6
	cmdGetPower     = 0xB7
	versionHardware = 0x00
	versionSoftware = 0x01
	pollReserved    = 0x22 // the first parameter of multiple polling
	selectAccess    = 0x02 // select before reading and writing, not before polling
)

// Region is a band of radio regulation. The law of the place decides: set it.
type Region byte

// The regions (protocol V2.1, 4.13).
const (
	RegionChina900 Region = 0x01 // 920.125 to 924.875 MHz
	RegionUS       Region = 0x02 // 902.25 to 927.75 MHz
	RegionEurope   Region = 0x03 // 865.1 to 867.9 MHz
	RegionChina800 Region = 0x04 // 840.125 to 844.875 MHz
	RegionKorea    Region = 0x06 // 917.1 to 923.3 MHz
)

// String returns the name of the region as profiles write it.
func (r Region) String() string {
	switch r {
	case RegionChina900:
		return "cn900"
	case RegionUS:
		return "us"
	case RegionEurope:
		return "eu"
	case RegionChina800:
		return "cn800"
	case RegionKorea:
		return "kr"
	}
	return fmt.Sprintf("region(%02X)", byte(r))
}

// ParseRegion reads the name of a region: cn900, us, eu, cn800 or kr.
func ParseRegion(name string) (Region, error) {
	for _, r := range [...]Region{RegionChina900, RegionUS, RegionEurope, RegionChina800, RegionKorea} {
		if r.String() == name {
			return r, nil
		}
	}
	return 0, fmt.Errorf("no region %q, there are cn900, us, eu, cn800 and kr", name)
}

// Failure is the code by which a module says why a command failed (protocol
// V2.1, 6).
type Failure byte

// Failures that stand for themselves; the others carry an error of the tag
// (EPC Gen2, annex I) in their low four bits.
const (
	FailureRead      Failure = 0x09
	FailureWrite     Failure = 0x10
	FailureKill      Failure = 0x12
	FailureLock      Failure = 0x13
	FailurePermalock Failure = 0x14
	FailureInventory Failure = 0x15
	FailureAccess    Failure = 0x16
	FailureCommand   Failure = 0x17
	FailureChannel   Failure = 0x20
)

// The errors of a tag.
const (
	tagOther       = 0x0
	tagOverrun     = 0x3
	tagLocked      = 0x4
	tagLowPower    = 0xB
	tagNonSpecific = 0xF
)

// Error says the failure in words.
func (f Failure) Error() string {
	switch f {
	case FailureRead:
		return "read failed: no tag answered (09)"
	case FailureWrite:
		return "write failed: no tag answered (10)"
	case FailureKill:
		return "kill failed: no tag answered (12)"
	case FailureLock:
		return "lock failed: no tag answered (13)"
	case FailurePermalock:
		return "permanent lock failed: no tag answered (14)"
	case FailureInventory:
		return "no tag answered, or one whose CRC was wrong (15)"
	case FailureAccess:
		return "access refused: the password is wrong (16)"
	case FailureCommand:
		return "the module does not know the command (17)"
	case FailureChannel:
		return "every radio channel is occupied (20)"
	}
	doing, known := map[Failure]string{
		0xA0: "read", 0xB0: "write", 0xC0: "lock", 0xD0: "kill", 0xE0: "special command",
	}[f&0xF0]
	if !known {
		return fmt.Sprintf("failure %02X, which no document names", byte(f))
	}
	what, known := map[Failure]string{
		tagOther: "other error", tagOverrun: "no such memory", tagLocked: "memory is locked",
		tagLowPower: "not enough power in the tag, bring it closer", tagNonSpecific: "the tag does not say why",
	}[f&0x0F]
	if !known {
		what = fmt.Sprintf("error %X", byte(f&0x0F))
	}
	return fmt.Sprintf("%s refused by the tag: %s (%02X)", doing, what, byte(f))
}

// tag returns the error of the tag that f carries, or -1.
func (f Failure) tag() int {
	if f >= 0xA0 && f < 0xF0 {
		return int(f & 0x0F)
	}
	return -1
}
