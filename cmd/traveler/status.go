package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"traveler.example/agent"
)

func (a *app) statusCommand() *cobra.Command {
	return a.command("status", "Show how a gateway is", "",
		func(ctx context.Context, _ []string) error {
			return a.withDesk(ctx, func(ctx context.Context, d agent.Desk) error {
				st, err := d.Status(ctx)
				if err != nil {
					return err
				}
				return a.print(st, func(w io.Writer) { a.showStatus(w, st) })
			})
		})
}

func (a *app) showStatus(w io.Writer, st agent.Status) {
	s := newSheet(w)
	s.value("gateway", fmt.Sprintf("%s (%s)", st.Gateway, st.Key.Short()))
	s.value("network", st.Network)
	s.value("station", strings.Join(nonEmpty(st.Station, st.Mode), ", "))
	s.value("state", a.gatewayState(st))
	s.value("light", st.Light)
	for _, r := range st.Readers {
		s.value("reader", deviceLine(r))
	}
	if st.Scale != nil {
		s.value("scale", deviceLine(*st.Scale))
	}
	for _, b := range st.Buttons {
		s.value("button", deviceLine(b))
	}
	s.value("shift", strings.Join(st.Shift, ", "))
	if st.Help != nil {
		s.value("help", "called by "+orDash(st.Help.Who)+" since "+when(st.Help.Since))
	}
	if st.Running {
		s.value("broker", orDash(nonEmpty(st.Broker)))
		s.value("clock", st.Clock)
		for _, c := range st.Certificates {
			s.value("certificate", certificateWords(c))
		}
	}
	s.value("chain", fmt.Sprintf("height %d", st.Height)+yes(st.Height > 0, ", head "+st.Head.Short()))
	s.value("ledger", fmt.Sprintf("%s, %s, %s", count(st.Blocks, "block"), count(st.Transactions, "transaction"), count(st.Items, "item")))
	s.value("confirmed", fmt.Sprintf("%d of %s, by %s", st.Confirmed, count(st.Blocks, "block"), count(int64(st.Witnesses), "witness")))
	s.value("lag", count(st.Lag, "block")+" missing here")
	if st.Waiting > 0 {
		s.value("waiting", count(st.Waiting, "transaction"))
	}
	if st.Conflicts > 0 {
		s.value("in conflict", count(st.Conflicts, "item"))
	}
	if st.Evidence > 0 {
		s.value("evidence", fmt.Sprintf("two versions of the chain of %s", count(int64(st.Evidence), "gateway")))
	}
	s.value("views", st.Views)
	s.value("version", st.Version)
	s.flush()
}

// gatewayState says in words whether the gateway works.
func (a *app) gatewayState(st agent.Status) string {
	switch {
	case !st.Running:
		return "stopped; this is its directory"
	case !st.Open:
		return "cannot record: " + st.Problem
	case st.Problem != "":
		return "running since " + when(st.Since) + "; " + st.Problem
	}
	return "running since " + when(st.Since)
}

func deviceLine(d agent.DeviceState) string {
	return fmt.Sprintf("%s %s on %s%s", d.Name, map[bool]string{true: "up", false: "DOWN"}[d.Up], d.Port, yes(d.Model != "", " ("+d.Model+")"))
}
