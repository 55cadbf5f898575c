package doctor

import (
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"time"

	"traveler.example/agent"
)

// broker: no light needs one, but what is recorded here reaches nobody without.
func broker(f Facts, x *exam) {
	links := f.Broker.Links
	switch {
	case !f.Profile.usable():
		x.skip("without a profile no broker is known")
		return
	case len(links) == 0:
		x.found(Note, "add [broker] urls to "+f.Profile.File+" if it is to have peers", "the gateway has no broker and works alone")
		return
	}
	reached, tried := 0, 0
	for _, l := range links {
		if l.Untried != "" {
			continue
		}
		if tried++; l.judge(f.Broker, x) {
			reached++
		}
	}
	if tried == 0 {
		x.skip("%s", links[0].Untried)
		return
	}
	if f.Daemon.Answers && f.Daemon.Status.Broker == "" && reached > 0 {
		x.found(Warning, "journalctl -u travelerd TRAVELER_EVENT=broker.lost -x tells why", "the daemon has no connection to a broker, though one can be reached")
	}
	if reached > 0 && x.State == Fault { // one is enough: the others are for when it fails
		x.State = Warning
		for i := range x.Findings {
			x.Findings[i].Severity = Warning
		}
	}
	x.seen("%d of %d reached", reached, tried)
}

// judge looks at one broker and reports whether it can be used.
func (l Link) judge(b BrokerFacts, x *exam) bool {
	before := len(x.Findings)
	if l.Secured && len(l.Shown) > 0 {
		l.trust(b, x)
	}
	switch {
	case len(x.Findings) > before || l.Problem == "":
	case l.Refused:
		x.found(Fault, "check this gateway's certificate, and whether the broker trusts the same CA; the broker's own journal says which", "the broker %s shows itself, then breaks off: %s", l.URL, l.Problem)
	default:
		x.found(Fault, "is the broker switched on and its port open? ping "+l.Host+"; systemctl status mosquitto there", "the broker %s cannot be reached: %s", l.URL, l.Problem)
	}
	return !slices.ContainsFunc(x.Findings[before:], func(f Finding) bool { return f.Severity == Fault })
}

// trust judges the certificate that a broker has shown.
func (l Link) trust(b BrokerFacts, x *exam) {
	leaf := l.Shown[0]
	below := x509.NewCertPool()
	for _, c := range l.Shown[1:] {
		below.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: b.Roots, Intermediates: below, DNSName: l.Host, CurrentTime: b.Judged})
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	var unknown x509.UnknownAuthorityError
	switch {
	case err == nil && leaf.NotAfter.Sub(b.Judged) < warnedAhead:
		x.found(Warning, "traveler network certificates renew, then copy the broker's directory to it", "the certificate of %s expires on %s", l.URL, day(leaf.NotAfter))
	case err == nil:
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && b.Judged.After(leaf.NotAfter):
		x.foundSince(leaf.NotAfter, Fault, "traveler network certificates renew, then copy the broker's directory to it", "the certificate of %s has expired on %s", l.URL, day(leaf.NotAfter))
	case errors.As(err, &name):
		x.found(Fault, "name the broker as its certificate does, or traveler network certificates broker NAME --host "+l.Host,
			"the certificate of %s is for %s, not for %s", l.URL, namesOf(leaf), l.Host)
	case errors.As(err, &unknown):
		x.found(Fault, "copy the ca.crt of the network that the broker is of, as ca_file of the profile", "the certificate of %s is not from the authority in the profile's ca_file; it is from %s", l.URL, leaf.Issuer)
	default:
		x.found(Fault, "make a new one: traveler network certificates broker NAME --host "+l.Host, "the certificate of %s does not hold: %v", l.URL, err)
	}
}

// warnedAhead is how long before its end a certificate is told of.
const warnedAhead = 30 * 24 * time.Hour

func namesOf(c *x509.Certificate) string {
	all := append([]string(nil), c.DNSNames...)
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	if len(all) == 0 {
		return "no host at all"
	}
	return strings.Join(all[:min(len(all), 8)], ", ")
}

// certificates are those on this side.
func certificates(f Facts, x *exam) {
	const renew = "traveler network certificates renew, copy the new files here, then systemctl reload travelerd"
	own := f.Broker.Own
	if f.Daemon.Answers && len(own) == 0 {
		own = f.Daemon.Status.Certificates
	}
	switch {
	case f.Broker.Problem != "" && len(own) == 0:
		x.found(Fault, "traveler network certificates gateway NAME makes them; they belong to the account that runs travelerd", "%s", f.Broker.Problem)
		return
	case !f.Profile.usable() && len(own) == 0:
		x.skip("without a profile none is known")
		return
	case len(own) == 0:
		x.seen("none: the connection to the broker is in clear")
		return
	}
	for _, c := range own {
		until := millis(c.Until)
		switch c.State {
		case agent.CertificateExpired:
			x.foundSince(until, Fault, renew, "%s (%s) has expired on %s", c.What, c.File, day(until))
		case agent.CertificateExpiring:
			x.found(Warning, renew, "%s (%s) expires on %s, in %d days", c.What, c.File, day(until), c.Days)
		}
	}
	x.seen("%s, judged at %s", counted(len(own), "certificate"), day(f.Broker.Judged))
}

// roster: a gateway that is not in it, or not any more, speaks to nobody.
func roster(f Facts, x *exam) {
	r, p := f.Roster, f.Profile.Profile
	switch {
	case r.Unknown != "":
		x.skip("%s", r.Unknown)
		return
	case r.Ticket:
		x.found(Note, "let the board reach another gateway of the network; it enrols itself", "the board has a ticket and has yet to make its key")
		x.seen("to be enrolled")
		return
	}
	var own *RosterEntry
	for i, e := range r.Entries {
		if e.Own && (own == nil || own.Revoked) {
			own = &r.Entries[i]
		}
	}
	switch {
	case own == nil && len(r.Entries) > 0 && r.Key != "":
		x.found(Fault, "put the gateway's own key back, or traveler gateway replace "+p.Gateway+" NEW on the network's machine",
			"the roster knows %s by the key %s, but the key here is %s", p.Gateway, r.Entries[0].Key, r.Key)
	case own == nil && len(r.Entries) == 0:
		x.found(Fault, "traveler gateway add "+p.Gateway+" on the network's machine, or check the name and the genesis: this may be another network's", "the roster does not know %s", p.Gateway)
	case own == nil:
		own = &r.Entries[0]
	}
	if own != nil {
		own.judge(f, x)
	}
	x.seen("from %s", r.Source)
}

// judge looks at the gateway's own entry.
func (e RosterEntry) judge(f Facts, x *exam) {
	station := f.Profile.Profile.Work.Station
	assigned := slices.Contains(f.Roster.Stations, station)
	switch {
	case e.Revoked:
		x.found(Fault, "take it out of service; if it was a mistake, enrol it with a new key: traveler gateway replace "+e.Name+" NEW", "%s is revoked: nobody counts what it says", e.Name)
	case !e.Gateway:
		x.found(Fault, "traveler gateway add with a name of its own", "%s is in the roster, but is no gateway", e.Name)
	case f.Profile.usable() && !assigned:
		others := strings.Join(f.Roster.Stations, ", ")
		if others == "" {
			others = "none"
		}
		x.found(Fault, "write [work] station as the roster has it, or assign it on the network's machine", "the profile says station %s, the roster assigns to %s: %s", station, e.Name, others)
	}
	if f.Profile.usable() && e.Own && e.Name != f.Profile.Profile.Gateway {
		x.found(Warning, "write gateway = \""+e.Name+"\" in "+f.Profile.File, "the roster calls the key here %s, the profile %s", e.Name, f.Profile.Profile.Gateway)
	}
}

// farBehind is the number of missing blocks from which on a gateway does not catch up by
// itself within minutes.
const farBehind = 1000

// sync: is the ledger here what it is elsewhere.
func sync(f Facts, x *exam) {
	if !f.Daemon.Answers {
		x.skip("the daemon says nothing; traveler ledger verify --dir reads a stopped gateway")
		return
	}
	s := f.Daemon.Status
	if s.Lag >= farBehind {
		x.found(Warning, "traveler peers shows whose blocks; leave it connected, or look for a slow network if the number does not fall", "%d blocks that exist are missing here", s.Lag)
	}
	for _, p := range f.Daemon.Peers {
		switch {
		case p.Self && p.Evidence:
			x.found(Warning, "if a second board has this gateway's card or directory, switch one off at once; a restored old copy is no harm, its chain is joined", "two versions of this gateway's own chain exist")
		case !p.Self && !p.Revoked && p.Heard != 0 && f.At.Sub(millis(p.Heard)) > unheard:
			x.foundSince(millis(p.Heard), Note, "look at it: traveler doctor there", "%s has not been heard for %d days", p.Name, int(f.At.Sub(millis(p.Heard))/(24*time.Hour)))
		}
	}
	if s.Conflicts > 0 {
		x.found(Note, "quality rules: traveler item list --phase in-conflict", "%s in conflict", counted(int(s.Conflicts), "item"))
	}
	x.seen("%d blocks, %d of them missing here", s.Blocks+s.Lag, s.Lag)
}

// unheard is a silence that is told.
const unheard = 24 * time.Hour
