package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"traveler.example/agent"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// forsaken is what ledger forsake prints for programs.
type forsaken struct {
	Dir    string      `json:"dir"`
	Height uint64      `json:"height"`
	Block  ledger.Hash `json:"block"`
}

func (a *app) ledgerForsake() *cobra.Command {
	var height uint64
	c := a.command("forsake --dir DIR --height N", "Give up a lost end of a stopped gateway's own chain",
		`Give up blocks that a gateway sealed, lost to a damaged disk, and that no other
gateway ever received. Only then does the gateway record again; what the lost blocks
recorded has to be scanned again. The height is that of the last block sealed, which
the event chain.lost names. Wait for the other gateways first: what one of them holds
comes back by itself. This writes to the directory.`, func(_ context.Context, _ []string) error { return a.forsake(height) })
	c.Flags().Uint64Var(&height, "height", 0, "height of the last block sealed, to confirm what is given up")
	return c
}

func (a *app) forsake(height uint64) error {
	dir, err := a.gatewayDir()
	if err != nil {
		return err
	}
	if height == 0 {
		return usage(hintf(errors.New("no height is named"), "add --height N, the height that the event chain.lost names"))
	}
	ref, err := replica.Forsake(filepath.Join(dir, agent.DataName), height)
	if errors.Is(err, replica.ErrLocked) {
		return hintf(fmt.Errorf("giving up in %s: %w", dir, err), "stop the gateway first")
	}
	if err != nil {
		return fmt.Errorf("giving up in %s: %w", dir, err)
	}
	return a.print(forsaken{dir, ref.Height, ref.Hash}, func(w io.Writer) {
		fmt.Fprintf(w, "%s: the own chain's end up to height %d (%s) is given up; the gateway seals on from what it holds\n", dir, ref.Height, ref.Hash.Short())
	})
}
