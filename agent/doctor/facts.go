package doctor

import (
	"crypto/x509"
	"time"

	"traveler.example/agent"
	profiles "traveler.example/firmware-profiles"
)

// Facts are what was seen of a gateway and its board. What could not be seen is the
// zero value, with the reason in Unknown where there is such a field.
type Facts struct {
	At      time.Time // of gathering, by the board's clock
	Built   time.Time // when this program was made; zero: not known
	Version string    // of this program

	Profile ProfileFacts
	Board   BoardFacts
	Ports   []PortFacts
	Account Account
	Probes  ProbeFacts
	Clock   ClockFacts
	Disk    DiskFacts
	Kernel  KernelFacts
	Daemon  DaemonFacts
	Broker  BrokerFacts
	Roster  RosterFacts
}

// ProfileFacts are the gateway's profile as it stands in its file.
type ProfileFacts struct {
	File string
	// Profile is valid only if Problems is empty.
	Profile  profiles.Profile
	Problems []string
}

// usable reports whether there is a profile.
func (p ProfileFacts) usable() bool { return len(p.Problems) == 0 && p.Profile.Gateway != "" }

// BoardFacts are about the board and what its firmware and kernel were told.
type BoardFacts struct {
	Model   string // as the device tree names it; empty: the board has none
	Machine string // of the kernel, such as "aarch64"

	FirmwareFile string // the firmware's configuration, empty if there is none
	Firmware     []string
	FirmwareTime time.Time // of its last change
	Booted       time.Time // zero: not known

	Loaded  map[string]bool // kernel modules that are there, built in or loaded
	Unknown string          // why Loaded is not known
	// Pins are the kernel's own users of GPIO lines, by number; nil: not known.
	Pins map[int]string
}

// PortFacts are about one device node.
type PortFacts struct {
	Of     string // whose it is, in the words of the profile: "reader bench"
	Name   string // of that device in the daemon's status
	Path   string
	Wiring profiles.Wiring

	Target string // the device node behind links; empty: nothing is there
	// Problem is why nothing can be said, other than that it does not exist.
	Problem string
	// Regular says that a plain file is there: no device.
	Regular bool
	Mode    uint32 // permission bits
	UID     int
	GID     int
	Group   string // of GID, or its number
	// Holders have it open. HoldersHidden says that there may be more, which this
	// program is not allowed to see.
	Holders       []Process
	HoldersHidden bool
	// Lasting are names of the same device that stay with it; Others those of
	// devices that no section of the profile names.
	Lasting, Others []string
}

// Process is a running program.
type Process struct {
	PID     int
	Command string
	// Replaced says that its file was exchanged or removed since it was started.
	Replaced bool
}

// Account is who the daemon runs as.
type Account struct {
	Name string
	UID  int
	GIDs []int
}

// ProbeFacts are what answered where no daemon has the ports.
type ProbeFacts struct {
	Done    bool
	Devices []agent.Probed
	Problem string
}

// ClockFacts are about the board's time.
type ClockFacts struct {
	Synchronised bool
	Unknown      string // why that is not known
	Battery      bool   // a clock with a battery is there
	BatteryTime  time.Time
}

// DiskFacts are about the file system of the replica.
type DiskFacts struct {
	Dir      string
	Unknown  string
	Free     int64 // bytes
	Size     int64
	NoInodes bool
	ReadOnly bool
	// DaysUntilFull is the daemon's forecast, -1 if there is none.
	DaysUntilFull int64
}

// KernelFacts are lines of the kernel log, or why there are none.
type KernelFacts struct {
	Lines   []KernelLine
	Unknown string
}

// DaemonFacts are what the running daemon says.
type DaemonFacts struct {
	Asked   bool
	Socket  string
	Problem string // why it gives no answer
	Denied  bool   // because this person may not ask
	Running []Process
	// Status is valid only if Answers.
	Answers bool
	Status  agent.Status
	Peers   []agent.Peer
}

// BrokerFacts are about the brokers and the certificates for them.
type BrokerFacts struct {
	Links   []Link
	Roots   *x509.CertPool // nil: without TLS
	Own     []agent.CertificateState
	Problem string    // of the files for TLS
	Judged  time.Time // the time at which certificates are judged
}

// Link is what came of calling one broker.
type Link struct {
	URL, Host, Address string
	Secured            bool
	// Problem is why nobody could be reached, or who was broke off; empty: reached.
	Problem string
	// Untried says why it was not called.
	Untried string
	// Refused says that the broker broke off after it had shown itself.
	Refused bool
	// Shown is the broker's certificate and those under it.
	Shown []*x509.Certificate
}

// RosterFacts are what the roster says of this gateway.
type RosterFacts struct {
	Source  string // where the roster is from
	Unknown string
	// Key is the gateway's own, in short; empty: not known.
	Key string
	// Entries are those of the gateway's name or key.
	Entries []RosterEntry
	// Stations are those assigned to any of Entries.
	Stations []string
	// Ticket: the board has yet to enrol itself.
	Ticket bool
}

// RosterEntry is an identity of the roster.
type RosterEntry struct {
	Name    string
	Key     string // in short
	Own     bool   // it has the gateway's key
	Gateway bool   // it has the role
	Revoked bool
}
