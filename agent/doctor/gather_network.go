package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"traveler.example/agent"
	profiles "traveler.example/firmware-profiles"
	"traveler.example/ledger"
)

// brokers calls every broker of a profile and reads the certificates for them.
func (w World) brokers(ctx context.Context, p profiles.Profile, daemon bool) BrokerFacts {
	b := BrokerFacts{Judged: w.judged(p)}
	files := p.Broker
	files.CAFile, files.CertificateFile, files.CertificateKeyFile = w.path(files.CAFile), w.path(files.CertificateFile), w.path(files.CertificateKeyFile)
	certificates, err := agent.LoadCertificates(files)
	if err != nil {
		b.Problem = err.Error()
		if errors.Is(err, fs.ErrPermission) { // the key is the daemon's: the rest can be judged
			files.CertificateFile, files.CertificateKeyFile = "", ""
			certificates, err = agent.LoadCertificates(files)
		}
	}
	secured := &tls.Config{MinVersion: tls.VersionTLS12}
	if err == nil && certificates != nil {
		b.Own = certificates.States(b.Judged)
		secured = certificates.Client(func() time.Time { return b.Judged })
		b.Roots = secured.RootCAs
	}
	for _, text := range p.Broker.URLs {
		l, ok := linkOf(text)
		switch {
		case !ok:
			continue // the profile was checked
		case !w.Live:
			l.Untried = "this is not the running system"
		case p.Broker.Listen != "" && !daemon && len(p.Broker.URLs) == 1:
			l.Untried = "the broker is this gateway's own daemon, which does not answer"
		case l.Secured && b.Roots == nil:
			l.Untried = "the certificates for it cannot be read: " + b.Problem
		default:
			w.call(ctx, &l, secured)
		}
		b.Links = append(b.Links, l)
	}
	return b
}

// linkOf takes a broker's URL apart.
func linkOf(text string) (Link, bool) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" {
		return Link{}, false
	}
	l := Link{URL: text, Host: u.Hostname(), Secured: u.Scheme == "mqtts"}
	port := u.Port()
	switch {
	case port != "":
	case l.Secured:
		port = "8883"
	default:
		port = "1883"
	}
	l.Address = net.JoinHostPort(l.Host, port)
	return l, true
}

// judged is the time at which certificates are judged: as the daemon does, a clock that
// is not synchronised is not believed to be before what is known to have been.
func (w World) judged(p profiles.Profile) time.Time {
	at := w.Now()
	if w.Clock() == ledger.ClockSynchronised {
		return at
	}
	floor := w.Built
	if g, err := agent.LoadGenesis(w.path(p.GenesisFile)); err == nil && time.UnixMilli(g.Time).After(floor) {
		floor = time.UnixMilli(g.Time)
	}
	if floor.After(at) {
		return floor
	}
	return at
}

// roster looks for the gateway in the daemon's roster, else in the files of the board.
func (w World) roster(ctx context.Context, p profiles.Profile, d DaemonFacts) RosterFacts {
	if d.Answers {
		if doc, err := w.askRoster(ctx, d.Socket); err == nil {
			return rosterOf(doc, d.Status.Key, p.Gateway)
		}
	}
	g, err := agent.LoadGenesis(w.path(p.GenesisFile))
	if err != nil {
		return RosterFacts{Unknown: "the genesis cannot be read: " + err.Error()}
	}
	files := make([]string, len(p.Roster))
	for i, file := range p.Roster {
		files[i] = w.path(file)
	}
	statements, err := agent.LoadStatements(g.Network(), files...)
	register := ledger.NewRegister(g)
	if err == nil {
		err = agent.AddStatements(register, statements)
	}
	if err != nil {
		return RosterFacts{Unknown: "the roster's files cannot be used: " + err.Error()}
	}
	return w.rosterFiles(p, register.Current())
}

// rosterFiles looks for the gateway in the roster of the board's files.
func (w World) rosterFiles(p profiles.Profile, r *ledger.Roster) RosterFacts {
	facts := RosterFacts{Source: "the board's files, which may be behind the network"}
	var own ledger.KeyID
	key, err := agent.LoadKey(w.path(p.KeyFile), nil)
	if err == nil {
		if public, err := ledger.PublicKeyOf(key); err == nil {
			own, facts.Key = public.ID(), public.ID().Short()
		}
	}
	facts.Ticket = p.TicketFile != "" && errors.Is(err, fs.ErrNotExist)
	mine := make(map[ledger.KeyID]bool)
	for _, i := range r.Identities() {
		if i.ID != own && i.Name != p.Gateway {
			continue
		}
		mine[i.ID] = true
		facts.Entries = append(facts.Entries, RosterEntry{
			Name: i.Name, Key: i.ID.Short(), Own: i.ID == own, Gateway: i.Roles&ledger.RoleGateway != 0, Revoked: i.Revoked,
		})
	}
	for _, a := range r.Assignments() {
		if mine[a.Gateway] {
			facts.Stations = append(facts.Stations, a.Station)
		}
	}
	return facts
}

func (w World) askRoster(ctx context.Context, socket string) (agent.RosterDocument, error) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	desk, err := w.Ask(socket)
	if err != nil {
		return agent.RosterDocument{}, err
	}
	defer desk.Close() //nolint:errcheck // nothing is left to be said
	return desk.Roster(ctx)
}

// rosterOf looks for a gateway in the daemon's roster.
func rosterOf(doc agent.RosterDocument, own ledger.KeyID, name string) RosterFacts {
	facts := RosterFacts{Source: "the daemon", Key: own.Short()}
	names := map[string]bool{}
	for _, i := range doc.Identities {
		if i.Key != own && i.Name != name {
			continue
		}
		names[i.Name] = true
		facts.Entries = append(facts.Entries, RosterEntry{
			Name: i.Name, Key: i.Key.Short(), Own: i.Key == own, Gateway: hasRole(i.Roles, ledger.RoleGateway), Revoked: i.Revoked,
		})
	}
	for _, s := range doc.Stations {
		if names[s.Gateway] {
			facts.Stations = append(facts.Stations, s.Station)
		}
	}
	return facts
}

// hasRole reports whether a list of roles, as documents have it, contains one.
func hasRole(list string, role ledger.Role) bool {
	return slices.Contains(strings.Split(list, ","), role.String())
}
