package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"traveler.example/agent"
)

func (a *app) peersCommand() *cobra.Command {
	return a.command("peers", "Show the other gateways as this one sees them", "",
		func(ctx context.Context, _ []string) error {
			return a.withDesk(ctx, func(ctx context.Context, d agent.Desk) error {
				peers, err := d.Peers(ctx)
				if err != nil {
					return err
				}
				return a.print(list(peers), func(w io.Writer) { a.showPeers(w, peers) })
			})
		})
}

func (a *app) showPeers(w io.Writer, peers []agent.Peer) {
	if len(peers) == 0 {
		fmt.Fprintln(w, "no other gateways")
		return
	}
	t := newTable(w, "GATEWAY", "STATION", "HEARD", "HEIGHT", "CONFIRMED", "BEHIND", "NOTES")
	for _, p := range peers {
		heard := "online"
		switch {
		case p.Self:
			heard = "this one"
		case !p.Online:
			heard = ago(a.now(), p.Heard)
		}
		t.row(p.Name, orDash(p.Stations), heard, fmt.Sprint(p.Height), fmt.Sprint(p.Confirmed), behind(p), peerNotes(p))
	}
	t.flush()
}

// behind is how many of a peer's blocks are missing here, as far as it says.
func behind(p agent.Peer) string {
	if p.Claimed <= p.Height {
		return "-"
	}
	return fmt.Sprint(p.Claimed - p.Height)
}

func peerNotes(p agent.Peer) string {
	return strings.Join(nonEmpty(
		yes(strings.Contains(p.Roles, "witness"), "witness"),
		yes(p.Revoked, "revoked"),
		yes(p.Evidence, "two versions of this gateway's chain"),
	), ", ")
}
