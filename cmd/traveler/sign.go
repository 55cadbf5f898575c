package main

import (
	"cmp"
	"context"
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"traveler.example/agent"
	"traveler.example/ledger"
)

// submit signs a transaction with a person's key, once it is sure that the
// network knows the key in that role, and has the gateway seal it.
func (a *app) submit(ctx context.Context, d agent.Desk, keyFile string, role ledger.Role, t ledger.Tx) (agent.Receipt, error) {
	key, err := agent.LoadKey(keyFile, a.unlock)
	if errors.Is(err, fs.ErrNotExist) {
		return agent.Receipt{}, hintf(err, "traveler identity add makes keys of people; name the file with --key")
	}
	if err != nil {
		return agent.Receipt{}, err
	}
	if err := checkRole(ctx, d, key, keyFile, role); err != nil {
		return agent.Receipt{}, err
	}
	status, err := d.Status(ctx)
	if err != nil {
		return agent.Receipt{}, err
	}
	net, err := ledger.ParseHash(status.NetworkID)
	if err != nil {
		return agent.Receipt{}, fmt.Errorf("the gateway names its network %q: %w", status.NetworkID, err)
	}
	t.Time = a.now().UnixMilli()
	if status.Clock == clockSynchronised {
		t.Clock = ledger.ClockSynchronised
	}
	signed, err := ledger.SignTx(ledger.NetworkID(net), t, key)
	if err != nil {
		return agent.Receipt{}, misused(err)
	}
	return d.Submit(ctx, signed.Raw())
}

// checkRole refuses a key whose word would be void for ever.
func checkRole(ctx context.Context, d agent.Desk, key crypto.Signer, keyFile string, role ledger.Role) error {
	pub, err := ledger.PublicKeyOf(key)
	if err != nil {
		return fmt.Errorf("key %s: %w", keyFile, err)
	}
	roster, err := d.Roster(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(roster.Identities, func(who agent.IdentityLine) bool { return who.Key == pub.ID() })
	switch {
	case i < 0:
		return hintf(fmt.Errorf("%w: the key in %s is not enrolled in network %s", agent.ErrNotPermitted, keyFile, roster.Network),
			"traveler identity add NAME --role %s enrols a new key", role)
	case roster.Identities[i].Revoked:
		return hintf(fmt.Errorf("%w: %s is revoked", agent.ErrNotPermitted, roster.Identities[i].Name), "a revoked key stays revoked; enrol a new one")
	case !slices.Contains(strings.Split(roster.Identities[i].Roles, ","), role.String()):
		return hintf(fmt.Errorf("%w: %s has the role %s, and this needs %s", agent.ErrNotPermitted, roster.Identities[i].Name,
			cmp.Or(roster.Identities[i].Roles, "none"), role), "have a %s sign it", role)
	}
	return nil
}

// receiptLine says where a transaction was sealed.
func receiptLine(r agent.Receipt) string {
	return fmt.Sprintf("%s in block %d (%s), transaction %s", r.Status, r.Height, r.Block.Short(), r.Tx.Short())
}
