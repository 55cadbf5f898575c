package profiles

import "time"

// Role says what a scan on a reader can mean.
type Role string

// The roles of a reader.
const (
	RoleBoth Role = "both" // the item's state decides
	RoleIn   Role = "in"   // accepts only
	RoleOut  Role = "out"  // completes only
)

// The devices of a [Reader].
const (
	DevicePN532    = "pn532"    // NFC, 13.56 MHz: serial port, SPI or I2C
	DeviceMFRC522  = "mfrc522"  // NFC, 13.56 MHz: SPI
	DeviceASCII125 = "ascii125" // RDM6300, ID-12LA, WL-134: 125 and 134 kHz on a serial port
	DeviceM100     = "m100"     // UHF modules on M100 and QM100 chips, R200: serial port
	DeviceLLRP     = "llrp"     // UHF portals on the network
	DeviceWedge    = "wedge"    // scanners and readers that type like a keyboard
)

// Reader is one reader of tags or codes. Each device has the settings that
// readerSettings gives it; the others are zero.
type Reader struct {
	Name string `toml:"name"`
	// Device is the driver, such as DevicePN532.
	Device string `toml:"device"`
	// Port is the path of the device, or host:port of one on the network. Several
	// readers of DeviceLLRP may share one.
	Port string `toml:"port"`
	Role Role   `toml:"role"`

	// Identity is what of a tag the ledger knows its item by.
	Identity Identity `toml:"identity"`
	// Handoff says that hand-off notes are written to tags at this reader, and read
	// from them, as far as the tags have room.
	Handoff bool `toml:"handoff"`

	// Baud is the speed of a serial line in bit/s.
	Baud int `toml:"baud"`
	// Clock is the speed of SPI, zero for the driver's own.
	Clock Frequency `toml:"clock"`
	// IRQ and Reset are the pins by which a chip on SPI or I2C says that it has
	// something to say, and is reset; empty where they are not wired.
	IRQ   string `toml:"irq"`
	Reset string `toml:"reset"`

	// Misses and Hold: a tag has departed once it was missed that often in a row
	// and for at least that long. A Hold of zero is the driver's own.
	Misses int           `toml:"misses"`
	Hold   time.Duration `toml:"hold"`

	// Gain is the receiver's in dB, zero for the chip's own.
	Gain int `toml:"gain"`
	// Keys are tried on MIFARE Classic besides the public ones: 12 digits of upper
	// hex each.
	Keys []string `toml:"keys"`

	// Framing is what an ascii125 says, empty for whatever comes. Repeat is how often.
	Framing Framing `toml:"framing"`
	Repeat  Repeat  `toml:"repeat"`

	// Region is the band that an m100 may use, empty for the module's own setting.
	Region Region `toml:"region"`
	// Antennas are the numbers of those of an llrp reader that are this reader.
	Antennas []int `toml:"antennas"`
	// Power is what a UHF reader sends with, zero for the reader's own setting.
	Power Decibel `toml:"power"`
	// A tag of UHF has arrived once it was read MinReads times within (m100) or
	// for (llrp) Dwell, each time no weaker than MinRSSI, zero for any strength.
	MinRSSI  Decibel       `toml:"rssi_min"`
	MinReads int           `toml:"min_reads"`
	Dwell    time.Duration `toml:"dwell"`
	// Takeover deletes what other programs left running on an llrp reader.
	Takeover bool `toml:"takeover"`
	// CAFile holds the certificates (PEM) of who vouches for an llrp reader; with it
	// the connection is over TLS.
	CAFile string `toml:"ca_file"`

	// Layout is the keyboard that a wedge is set to. Content says what a line of it
	// is, Prefix and Suffix what is taken off before.
	Layout  Layout  `toml:"layout"`
	Content Content `toml:"content"`
	Prefix  string  `toml:"prefix"`
	Suffix  string  `toml:"suffix"`
	// Technology is that of the tags whose identifiers a wedge types, Reversed that
	// it types their bytes last first.
	Technology Technology `toml:"technology"`
	Reversed   bool       `toml:"reversed"`
	// Gap is the silence that ends a line of a wedge that types no Enter or Tab;
	// zero: it does. Cooldown is how long the same line again is the same scan.
	Gap      time.Duration `toml:"gap"`
	Cooldown time.Duration `toml:"cooldown"`
}

// Identity says by what the ledger knows the item of a tag that was read.
type Identity string

// The identities. An item may have tags of several kinds, and be known by all of
// them: readers differ in what they can read.
const (
	IdentityUID     Identity = "uid"      // what the reader reports, as it is: the UID of a tag, an EPC in hex, the text of a code
	IdentityEPC     Identity = "epc"      // the EPC as a URI: urn:epc:id:sgtin:0614141.812345.6789
	IdentityNDEFURI Identity = "ndef-uri" // the first URI in the NDEF message of the tag
	IdentityCode    Identity = "code"     // the text of a printed code, and of nothing else
)

// Framing is how a reader of DeviceASCII125 writes what it read.
type Framing string

// The framings, by the readers that made them known.
const (
	FramingRDM6300 Framing = "rdm6300"
	FramingID12    Framing = "id-12"
	FramingWL134   Framing = "wl-134"
)

// Repeat says how often a reader of DeviceASCII125 tells of a tag.
type Repeat string

// The ways to repeat; empty: as readers of its framing do.
const (
	RepeatWhile Repeat = "while-present"
	RepeatOnce  Repeat = "once"
)

// Region is a band of radio regulation, by the name that drivers/m100 reads.
type Region string

// Layout is a keyboard layout, by the name that drivers/wedge reads.
type Layout string

// Content says what a line of a wedge is.
type Content string

// The contents.
const (
	ContentCode    Content = "code"    // a printed code
	ContentHex     Content = "hex"     // a tag's identifier in hexadecimal
	ContentDecimal Content = "decimal" // the last four bytes of one as a decimal number
)

// Technology is that of a tag, by the name that package drivers gives it.
type Technology string

// Wiring is how a device is attached.
type Wiring string

// The wirings, as messages call them.
const (
	WiringSerial  Wiring = "a serial port"
	WiringSPI     Wiring = "SPI"
	WiringI2C     Wiring = "I2C"
	WiringInput   Wiring = "an input device"
	WiringNetwork Wiring = "the network"
)
