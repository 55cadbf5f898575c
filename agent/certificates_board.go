package agent

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	profiles "traveler.example/firmware-profiles"
	"traveler.example/ledger"
)

// certify gives gateways that were just let in their certificates, if the network
// has a CA.
func (n *Network) certify(at int64, changes []ledger.Change) error {
	lets := func(c ledger.Change) bool { return c.Kind == ledger.ChangeEnrol && c.Roles&ledger.RoleGateway != 0 }
	if !n.HasAuthority() || !slices.ContainsFunc(changes, lets) {
		return nil
	}
	a, err := n.OpenAuthority()
	if err == nil {
		_, err = a.IssueGateways(time.UnixMilli(at), 0)
	}
	if err != nil {
		return fmt.Errorf("the gateway is let in, but has no certificate yet (traveler network certificates gateway NAME makes it): %w", err)
	}
	return nil
}

// servedHosts are the names and addresses under which a gateway's own broker is
// reached as far as its profile tells; none if it serves none.
func servedHosts(p profiles.Profile) []string {
	if p.Broker.Listen == "" {
		return nil
	}
	hosts := []string{strings.ToLower(p.Gateway), "localhost", "127.0.0.1", "::1"}
	host, _, err := net.SplitHostPort(p.Broker.Listen)
	if ip := net.ParseIP(host); err == nil && host != "" && (ip == nil || !ip.IsUnspecified()) && !slices.Contains(hosts, host) {
		hosts = append(hosts, host)
	}
	return hosts
}

// IssueGateways makes certificates for all gateways in force that have a directory
// here and no certificate yet, and returns their names.
func (a *Authority) IssueGateways(at time.Time, lifetime time.Duration) ([]string, error) {
	var names []string
	for _, i := range a.network.Register.Current().Identities() {
		dir := a.network.Board(i.Name)
		if i.Roles&ledger.RoleGateway == 0 || i.Revoked || !exists(filepath.Join(dir, ProfileName)) || exists(filepath.Join(dir, BoardCertName)) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, ProfileName))
		if err != nil {
			return names, fmt.Errorf("certificate of %s: %w", i.Name, err)
		}
		p, err := a.network.boardProfile(text)
		if err != nil {
			return names, err
		}
		if err := a.IssueGateway(i.Name, at, lifetime, servedHosts(p)...); err != nil {
			return names, err
		}
		names = append(names, i.Name)
	}
	return names, nil
}
