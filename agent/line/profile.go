package line

import (
	"fmt"
	"strings"

	"traveler.example/agent"
)

// The devices of a gateway, as files of its directory.
const (
	readerName = "reader"
	scaleName  = "scale"
	lightFD    = 3
)

// The tags of each product begin alike, so that intake knows what it takes in.
const (
	housingPrefix = "04A"
	coverPrefix   = "04C"
	pinPrefix     = "8B"
)

// profileOf writes a gateway's profile. broker is where the broker listens, cable
// where the gateway finds it.
func profileOf(p Place, reader, broker, cable string, unsafeNoSync bool) []byte {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	say("# Gateway %s of the demo.", p.Gateway)
	say("gateway        = %q", p.Gateway)
	say("board          = \"demo\"")
	say("station        = %q", p.Profile)
	say("data_dir       = %q", agent.DataName)
	say("key_file       = %q", agent.BoardKey)
	say("genesis_file   = %q", agent.GenesisName)
	say("roster         = [%q]", agent.RosterName)
	say("control_socket = %q", agent.SocketName)
	say("\n[work]")
	say("station = %q", p.Station)
	if p.Centre != "" {
		say("centre = %q", p.Centre)
	}
	say("minimum_dwell = \"0s\" # the orders say how long work takes")
	say("\n[ports]\nreader0 = \"./%s\"", readerName)
	if p.Scale {
		say("scale0 = \"./%s\"", scaleName)
	}
	name := "bench"
	if p.Gateway == Dock {
		name = "gate"
	}
	say("\n[[reader]]\nname = %q\ndevice = %q\nport = \"reader0\"\nmisses = 2", name, reader)
	if reader != ReaderASCII125 {
		say("hold = \"150ms\"")
	}
	say("\n[[light]]\nname = \"stack\"\nkind = \"lines\"\nfd = %d", lightFD)
	say("\n[badges]\n%s = %q", tagFor(reader, Badge), Operator)
	if p.Gateway == Assembly {
		say("\n[[task]]\nname = \"fasten\"\ntext = \"Drive in all screws, then scan again.\"")
	}
	if p.Gateway == Intake {
		say("\n[intake]")
		for _, x := range [][3]string{{housingPrefix, "WO-HOUSING", "H-"}, {coverPrefix, "WO-COVER", "C-"}, {pinPrefix, "WO-PIN", "P-"}} {
			say("[[intake.rule]]\ntag_prefix = %q\norder = %q\nlabel_prefix = %q", prefixFor(reader, x[0]), x[1], x[2])
		}
	}
	say("\n[broker]\nurls = [\"mqtt://%s\"]", cable)
	if p.Broker {
		say("listen = %q", broker)
	}
	if unsafeNoSync {
		say("\n[ledger]\nunsafe_no_sync = true")
	}
	return []byte(b.String())
}
