package agent

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// ProfileDraft is what a gateway's own profile says at first; Text writes it.
// What is empty is left to the board and station profiles.
type ProfileDraft struct {
	Gateway    string
	Board      string            // board profile: a built-in name or a path
	Profile    string            // station profile; empty: in-out with one PN532
	Station    string            // id of the station
	WorkCentre string            // of the station
	Intake     bool              // overrides the station profile's mode
	Order      string            // what an intake makes items for
	Brokers    []string          // URLs, in order
	Listen     string            // host:port of the gateway's own broker
	Ports      map[string]string // port role to device path
	Ticket     bool              // the board makes its key itself and redeems a ticket
}

// Text writes the draft as a profile whose key, genesis, roster, ledger and
// control socket lie in its own directory.
func (d ProfileDraft) Text() []byte {
	var b strings.Builder
	line := func(key, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s = %s\n", key, strconv.Quote(value))
		}
	}
	line("gateway", d.Gateway)
	line("board", d.Board)
	line("station", d.Profile)
	line("data_dir", DataName)
	line("key_file", BoardKey)
	if d.Ticket {
		line("ticket_file", TicketName)
	}
	line("genesis_file", GenesisName)
	fmt.Fprintf(&b, "roster = [%s]\n", strconv.Quote(RosterName))
	line("control_socket", SocketName)
	b.WriteString("\n[work]\n")
	line("station", d.Station)
	line("centre", d.WorkCentre)
	switch {
	case d.Intake:
		line("mode", "intake")
	case d.Profile == "":
		line("mode", "in-out")
	}
	if d.Profile == "" {
		b.WriteString("\n[[reader]]\nname = \"bench\"\ndevice = \"pn532\"\nport = \"reader0\"\n")
	}
	if d.Order != "" {
		b.WriteString("\n[intake]\n")
		line("order", d.Order)
	}
	if len(d.Ports) > 0 {
		b.WriteString("\n[ports]\n")
		for _, role := range slices.Sorted(maps.Keys(d.Ports)) {
			line(role, d.Ports[role])
		}
	}
	if len(d.Brokers) > 0 || d.Listen != "" {
		b.WriteString("\n[broker]\n")
		line("listen", d.Listen)
		if len(d.Brokers) > 0 {
			quoted := make([]string, len(d.Brokers))
			for i, u := range d.Brokers {
				quoted[i] = strconv.Quote(u)
			}
			fmt.Fprintf(&b, "urls = [%s]\n", strings.Join(quoted, ", "))
			if strings.HasPrefix(d.Brokers[0], "mqtts:") {
				line("ca_file", CACertName)
				line("certificate_file", BoardCertName)
				line("certificate_key_file", BoardCertKeyName)
			}
		}
	}
	return []byte(b.String())
}
