// Package profiles reads what a gateway is from its profile: strict TOML, composed
// of a board profile, a station profile and what is the gateway's own.
//
// The gateway's file names the other two and overrides anything in them:
//
//	gateway = "G-DRILL-1"
//	board   = "rpi-4"
//	station = "drilling"
//
//	[work]
//	station = "DRILL-1"
//
//	[broker]
//	urls = ["mqtt://broker.plant:1883"]
//
// Tables override key by key. Lists of sections with a name ([[reader]], [[light]], [[button]], …)
// override name by name; a [[reader]] of another device takes the place of one of its
// name as a whole, since its settings are others. device = "none" (of a light kind =
// "none", of a button or buzzer pin = "none") takes one away.
// Errors name file, line, column, key and remedy, all at once.
package profiles

import (
	"log/slog"
	"strings"
	"time"
)

// Profile is what one gateway is: its board, its station and what is its own,
// composed and checked. Every path in it is absolute, every port a device
// path and every default filled in; [Load] and [Parse] are the only makers.
type Profile struct {
	// Gateway is the name under which the roster knows this gateway.
	Gateway string `toml:"gateway"`
	// BoardName and StationName are what the gateway's file named as its
	// board and station profile, empty if it names none.
	BoardName   string `toml:"board"`
	StationName string `toml:"station"`

	// DataDir is the directory of the replica.
	DataDir string `toml:"data_dir"`
	// KeyFile holds the gateway's private key.
	KeyFile string `toml:"key_file"`
	// TicketFile holds the one-time code by which a board without a key enrols
	// itself at its first start; empty: the board has its key.
	TicketFile string `toml:"ticket_file"`
	// GenesisFile holds the genesis of the network.
	GenesisFile string `toml:"genesis_file"`
	// Roster are files of roster statements, or directories of such files, read at start.
	Roster []string `toml:"roster"`
	// ControlSocket is the unix socket that the traveler command talks to.
	ControlSocket string `toml:"control_socket"`
	// LogLevel is the lowest level that is written: debug, info, warn or error.
	LogLevel slog.Level `toml:"log_level"`

	Work    Work    `toml:"work"`
	Tasks   []Task  `toml:"task"`
	Intake  Intake  `toml:"intake"`
	Offline Offline `toml:"offline"`

	Readers []Reader `toml:"reader"`
	// Scale is nil where the station has none.
	Scale  *Scale  `toml:"scale"`
	Lights []Light `toml:"light"`
	// Buzzers are those apart from a light of pins.
	Buzzers []Buzzer `toml:"buzzer"`
	Buttons []Button `toml:"button"`

	// Badges maps a badge's tag id (upper hex) to the name of the identity who carries it.
	Badges map[string]string `toml:"badges"`

	Broker Broker `toml:"broker"`
	Ledger Ledger `toml:"ledger"`

	// Ports and Pins are the board's roles: port role to device path, pin role to pin name.
	Ports map[string]string `toml:"ports"`
	Pins  map[string]string `toml:"pins"`
	// Boot is what the board needs from its firmware and kernel; only the installer reads it.
	Boot Boot `toml:"boot"`

	origins map[string]Origin
}

// Mode says what a scan at the station does.
type Mode string

// The modes a station can work in. A fourth, terminal (work is completed on
// the form), is refused until the console that shows the form exists.
const (
	ModeIntake Mode = "intake" // a scan takes a new item in
	ModeInOut  Mode = "in-out" // the first scan accepts the item, the second completes it
	ModePortal Mode = "portal" // one scan accepts and completes, for conveyors
)

// Work is the place this gateway serves.
type Work struct {
	// Station is the id of the station, as the roster assigns it to the gateway.
	Station string `toml:"station"`
	// Centre is the work centre the station belongs to, empty for none.
	Centre string `toml:"centre"`
	Mode   Mode   `toml:"mode"`
	// MinimumDwell is how long an accepted item is worked on at least; an
	// earlier second scan does not complete it. A task or a routing may ask for more.
	MinimumDwell time.Duration `toml:"minimum_dwell"`
}

// Task is what the operator is told at one task.
type Task struct {
	Name string `toml:"name"`
	// Text is what to do, in the operator's words.
	Text string `toml:"text"`
}

// Intake says what an item taken in at this station is.
type Intake struct {
	IntakeValues
	// Rules are tried in order; the first whose TagPrefix begins the tag id decides.
	Rules []IntakeRule `toml:"rule"`
}

// IntakeValues are what an intake writes down of a new item.
type IntakeValues struct {
	// Order is the id of the work order the item is made for.
	Order string `toml:"order"`
	// Product and Lot are the product and lot, empty for the order's own product and no lot.
	Product string `toml:"product"`
	Lot     string `toml:"lot"`
	// LabelPrefix begins the printed id of each item; a running part follows it.
	LabelPrefix string `toml:"label_prefix"`
}

// IntakeRule overrides [IntakeValues] for the tags whose id begins with TagPrefix
// (upper hex); what it leaves empty is taken from [Intake].
type IntakeRule struct {
	TagPrefix string `toml:"tag_prefix"`
	IntakeValues
}

// UnknownTag says how a tag is answered that no item held here carries while peers are silent.
type UnknownTag string

// The answers to an unknown tag while no peer has been heard.
const (
	UnknownTagWait   UnknownTag = "wait"   // WAIT: its item may exist elsewhere
	UnknownTagRefuse UnknownTag = "refuse" // UNKNOWN TAG at once
)

// Offline is what a station cut off does and when it counts as cut off.
type Offline struct {
	// After is the silence of all peers after which the station says that it works alone.
	After time.Duration `toml:"after"`
	// UnknownTag is the answer to an unknown tag meanwhile.
	UnknownTag UnknownTag `toml:"unknown_tag"`
}

// Scale is the station's scale.
type Scale struct {
	// Device is what the scale speaks, such as ScaleMTSICS.
	Device string `toml:"device"`
	Port   string `toml:"port"`
	// Baud is the line speed in bit/s, Line what a character on it is.
	Baud int  `toml:"baud"`
	Line Line `toml:"line"`
	// Deadline bounds the wait for a stable weight.
	Deadline time.Duration `toml:"deadline"`
	// EmptyBelow is the weight under which the pan counts as empty; it is refused as a weighing.
	EmptyBelow Weight `toml:"empty_below"`
	// Capacity is the heaviest weight believed, zero for the scale's own judgement.
	Capacity Weight `toml:"capacity"`
}

// The devices of a [Scale].
const (
	ScaleMTSICS = "mt-sics" // Mettler Toledo and others
	ScaleAD     = "a-d"     // A&D's standard format
	ScaleAuto   = "auto"    // whichever of these answers
)

// Line is data bits, parity and stop bits of a serial line, such as "7E1".
type Line string

// The lines that scales are set to.
const (
	Line8N1 Line = "8N1"
	Line8E1 Line = "8E1"
	Line8O1 Line = "8O1"
	Line7N1 Line = "7N1"
	Line7E1 Line = "7E1"
	Line7O1 Line = "7O1"
	Line7N2 Line = "7N2"
	Line8N2 Line = "8N2"
)

// LightKind is how a light is driven.
type LightKind string

// The kinds of lights.
const (
	LightLines LightKind = "lines" // one line of text a signal, written to a file, pty or descriptor
	LightGPIO  LightKind = "gpio"  // three output pins
)

// Light is one signal light.
type Light struct {
	Name string    `toml:"name"`
	Kind LightKind `toml:"kind"`
	// Path is the file or pty of a light of lines, empty if Descriptor is meant.
	Path string `toml:"path"`
	// Descriptor is the inherited file descriptor of a light of lines, -1 if Path is meant.
	Descriptor int `toml:"fd"`
	// Red, Amber and Green are the pins of a light of pins.
	Red   string `toml:"red"`
	Amber string `toml:"amber"`
	Green string `toml:"green"`
	// Buzzer is the pin of a buzzer that is part of a light of pins, empty for none.
	Buzzer string `toml:"buzzer"`
	// ActiveLow says that a lamp is lit, and the buzzer sounds, by the low level of
	// its pin.
	ActiveLow bool `toml:"active_low"`
}

// Buzzer is one buzzer that is no part of a light. It sounds what lights show.
type Buzzer struct {
	Name string `toml:"name"`
	Pin  string `toml:"pin"`
	// ActiveLow says that it sounds by the low level of its pin.
	ActiveLow bool `toml:"active_low"`
}

// Action is what a push of a button does.
type Action string

// The actions. "choose-1" to "choose-9" stand for the options of CHOOSE.
const (
	ActionConfirm Action = "confirm" // takes the option that the light shows
	ActionNext    Action = "next"    // has the light show the next option
	ActionCancel  Action = "cancel"  // leaves the question, ends a call for help, gives up what waits
	ActionCall    Action = "call"    // calls for help

	actionChoose = "choose-" // and a digit
)

// Option returns the number of the option of CHOOSE that an action stands for, 0 for
// none.
func (a Action) Option() int {
	if n, is := strings.CutPrefix(string(a), actionChoose); is && len(n) == 1 && n[0] >= '1' && n[0] <= '9' {
		return int(n[0] - '0')
	}
	return 0
}

// Button is one push button.
type Button struct {
	// Name is what journal and status call it, by default what it does.
	Name string `toml:"name"`
	Pin  string `toml:"pin"`
	// Action is what a push does, LongPress what keeping it down for a second does;
	// one of them may be empty, and then that does nothing.
	Action    Action `toml:"action"`
	LongPress Action `toml:"long_press"`
	// ActiveLow says that the pin is low while the button is down, as with a button
	// between pin and ground: the usual wiring, and the default.
	ActiveLow bool `toml:"active_low"`
	// ExternalPull says that a resistor beside the button keeps the pin at its level
	// while the button is up; else the pin's own does.
	ExternalPull bool `toml:"external_pull"`
	// Debounce is how long the contact has to rest before a push counts.
	Debounce time.Duration `toml:"debounce"`
}

// Broker is how the gateway reaches its peers.
type Broker struct {
	// URLs are tried in order: "mqtt://host:port", or "mqtts://host:port" for
	// TLS. Where only Listen is given, it holds the gateway's own broker.
	URLs []string `toml:"urls"`
	// Listen is the host:port on which this gateway itself serves a broker, empty for none.
	Listen string `toml:"listen"`
	// ClientID is the MQTT client id, by default the gateway's name.
	ClientID string `toml:"client_id"`
	// CAFile holds the certificates (PEM) of the authorities that vouch for brokers
	// and, where Listen is given, for the gateways that connect. With it every
	// connection is over TLS; empty: none is.
	CAFile string `toml:"ca_file"`
	// CertificateFile and CertificateKeyFile are the gateway's own certificate and
	// its key (PEM): shown to brokers, and to clients of the broker at Listen.
	// Both or none; a broker at Listen needs them.
	CertificateFile    string `toml:"certificate_file"`
	CertificateKeyFile string `toml:"certificate_key_file"`
}

// Ledger are the settings of the replica.
type Ledger struct {
	// UnsafeNoSync leaves out the flush to the disk before a light is shown. A
	// power cut then loses what operators were shown as done. For tests that prove just that.
	UnsafeNoSync bool `toml:"unsafe_no_sync"`
	// FreeSpaceReserve is the free space, in bytes, below which nothing is written.
	FreeSpaceReserve Size `toml:"free_space_reserve"`
}

// Boot is what a board's firmware and kernel must be told for its ports to exist.
type Boot struct {
	// Arch is the machine that programs for the board are built for, empty where the
	// profile cannot tell.
	Arch Arch `toml:"arch"`
	// Firmware are lines of the firmware's configuration (config.txt of a Raspberry Pi).
	Firmware []string `toml:"firmware"`
	// Modules are kernel modules to load at boot.
	Modules []string `toml:"modules"`
}

// Arch is a machine, by the name that Go gives it (GOARCH).
type Arch string

// The machines that Traveler is built for.
const (
	ArchAMD64 Arch = "amd64" // 64-bit PCs
	ArchARM64 Arch = "arm64" // 64-bit ARM
	ArchARM   Arch = "arm"   // 32-bit ARM from ARMv7 on
)

// Frequency is in Hz.
type Frequency int64

// Decibel is a power in hundredths of a dBm, below zero for less than a milliwatt.
type Decibel int64

// Weight is a mass in milligrams.
type Weight int64

// Size is a number of bytes.
type Size int64

// Origin is the place in a profile that a value comes from; the zero value means a default.
type Origin struct {
	File         string
	Line, Column int
}
