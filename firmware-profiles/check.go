package profiles

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxSocketPath is the longest path of a unix socket (sun_path of unix(7), less its end).
const maxSocketPath = 107

// checker judges a bound profile and completes it: paths, roles of ports and pins,
// defaults that depend on other values.
type checker struct {
	p      *Profile
	main   string            // name of the gateway's own file
	dirs   map[string]string // where the relative paths of a file start
	faults Faults
	ports  map[string]string // port path → path of the key that took it
	pins   map[string]string // the same of pins
	// partial says that a layer could not be read: what is missing may stand there.
	partial bool
}

func (k *checker) check() {
	k.ports, k.pins = make(map[string]string), make(map[string]string)
	k.gateway()
	k.work()
	k.intake()
	k.offline()
	k.readers()
	k.scale()
	k.lights()
	k.buzzers()
	k.badges()
	k.buttons()
	k.broker()
	k.ledger()
}

// at returns the place of a value; for one that is not given, of the section in the gateway's own
// file where it belongs, else the head of that file.
func (k *checker) at(path string) Origin {
	if o, ok := k.p.origins[path]; ok {
		return o
	}
	if i := strings.LastIndexByte(path, '.'); i > 0 {
		if o := k.p.origins[path[:i]]; o.File == k.main {
			return o
		}
	}
	return Origin{File: k.main, Line: 1, Column: 1}
}

// fail reports a fault of the value at path, unless that value has one already.
func (k *checker) fail(path, problem, remedy string) {
	f := Fault{Origin: k.at(path), Key: keyOf(path), Problem: problem, Remedy: remedy}
	if slices.ContainsFunc(k.faults, func(g Fault) bool { return g.Origin == f.Origin && g.Key == f.Key }) {
		return
	}
	k.faults = append(k.faults, f)
}

// keyOf is a path without the indexes of lists.
func keyOf(path string) string {
	var b strings.Builder
	for path != "" {
		head, rest, found := strings.Cut(path, "[")
		b.WriteString(head)
		if !found {
			break
		}
		_, path, _ = strings.Cut(rest, "]")
	}
	return b.String()
}

// given reports whether any layer sets the value at path.
func (k *checker) given(path string) bool {
	_, ok := k.p.origins[path]
	return ok
}

// id requires value to be an id as the ledger takes them.
func (k *checker) id(path, value string) bool {
	switch {
	case value == "":
		k.missing(path, `add %s = "…"`)
	case !validID(value):
		k.fail(path, fmt.Sprintf("is %q; an id is 1 to 96 printable ASCII characters without space, quotes, backquote, <, > and \\", clipped(value)),
			`write it like "DRILL-1"`)
	default:
		return true
	}
	return false
}

// optionalID is id for a value that may be left out.
func (k *checker) optionalID(path, value string) {
	if value != "" {
		k.id(path, value)
	}
}

// missing reports a required value that is not given, or given empty. The
// remedy holds one %s for the key's own name.
func (k *checker) missing(path, remedy string) {
	problem := "is missing"
	if k.given(path) {
		problem = "is empty"
	} else if k.partial {
		return
	}
	section, name, nested := cutLast(path)
	remedy = fmt.Sprintf(remedy, name)
	switch {
	case strings.HasSuffix(section, "]"):
		remedy += " under [[" + keyOf(section) + "]]"
	case nested:
		remedy += " under [" + keyOf(section) + "]"
	}
	k.fail(path, problem, remedy)
}

// cutLast divides a path into its last name and the section before it.
func cutLast(path string) (section, name string, nested bool) {
	i := strings.LastIndexByte(path, '.')
	if i < 0 {
		return "", path, false
	}
	return path[:i], path[i+1:], true
}

// validID reports whether s is an id of protocol 1.
func validID(s string) bool {
	return len(s) >= 1 && len(s) <= 96 && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune("\"'`<>\\", r)
	})
}

// path makes the file name at path absolute, relative to the file that says it.
func (k *checker) path(path string, value *string) {
	if *value == "" {
		if k.given(path) {
			k.fail(path, "is empty", "write the path of a file, or remove the key for the usual place")
		}
		return
	}
	*value = absolute(k.dirs[k.p.origins[path].File], *value)
}

func (k *checker) gateway() {
	p := k.p
	k.id("gateway", p.Gateway)
	k.path("data_dir", &p.DataDir)
	k.path("key_file", &p.KeyFile)
	k.path("ticket_file", &p.TicketFile)
	if p.TicketFile != "" && p.TicketFile == p.KeyFile {
		k.fail("ticket_file", "is the file of the key", `name another file: the ticket is removed once it is redeemed, such as "ticket"`)
	}
	k.path("genesis_file", &p.GenesisFile)
	k.path("control_socket", &p.ControlSocket)
	for i := range p.Roster {
		k.path(fmt.Sprintf("roster[%d]", i), &p.Roster[i])
	}
	if n := len(p.ControlSocket); n > maxSocketPath {
		k.fail("control_socket", fmt.Sprintf("is a path of %d bytes with its directory; a unix socket has at most %d", n, maxSocketPath),
			`put it into a directory with a shorter path, such as "/run/traveler/control.sock"`)
	}
}

func (k *checker) work() {
	w := &k.p.Work
	k.id("work.station", w.Station)
	k.optionalID("work.centre", w.Centre)
	if w.Mode == "" {
		k.missing("work.mode", `add %s = "in-out", "portal" or "intake"`)
	}
	names := make(map[string]bool)
	for i, task := range k.p.Tasks {
		path := fmt.Sprintf("task[%d].name", i)
		if k.id(path, task.Name) && names[task.Name] {
			k.fail(path, fmt.Sprintf("is %q, as of a task before", task.Name), "give each task once")
		}
		names[task.Name] = true
	}
}

func (k *checker) intake() {
	in := &k.p.Intake
	used := k.given("intake")
	if k.p.Work.Mode != ModeIntake {
		if used && k.p.Work.Mode != "" {
			k.fail("intake", fmt.Sprintf("stands in a profile of mode %q", k.p.Work.Mode), `remove [intake], or set mode = "intake" under [work]`)
		}
		return
	}
	if in.Order == "" && len(in.Rules) == 0 {
		k.missing("intake.order", `say which work order new items are made for: %s = "PO-1001"`)
	}
	k.intakeValues("intake", in.IntakeValues)
	for i := range in.Rules {
		rule, path := &in.Rules[i], fmt.Sprintf("intake.rule[%d]", i)
		k.intakeValues(path, rule.IntakeValues)
		if in.Order == "" && rule.Order == "" {
			k.missing(path+".order", `add %s = "PO-1001"`)
		}
		k.tagPrefix(path+".tag_prefix", rule, in.Rules[:i])
	}
}

func (k *checker) intakeValues(path string, v IntakeValues) {
	k.optionalID(path+".order", v.Order)
	k.optionalID(path+".product", v.Product)
	k.optionalID(path+".lot", v.Lot)
	k.optionalID(path+".label_prefix", v.LabelPrefix)
	if len(v.LabelPrefix) > 48 {
		k.fail(path+".label_prefix", fmt.Sprintf("has %d characters; at most 48 leave room for the number in an id", len(v.LabelPrefix)), "shorten it")
	}
}

// tagPrefix checks a rule's prefix and that no rule before it takes all its tags.
func (k *checker) tagPrefix(path string, rule *IntakeRule, before []IntakeRule) {
	prefix, ok := hexDigits(rule.TagPrefix)
	if !ok && strings.Contains(rule.TagPrefix, ":") && validID(rule.TagPrefix) { // a URI is its own form
		prefix, ok = rule.TagPrefix, true
	}
	if !ok || prefix == "" {
		if rule.TagPrefix == "" {
			k.missing(path, `add %s = "04A1"`)
			return
		}
		k.fail(path, fmt.Sprintf("is %q, which cannot begin a tag id", clipped(rule.TagPrefix)), `write hexadecimal digits, like "04A1"`)
		return
	}
	rule.TagPrefix = prefix
	for _, b := range before {
		if b.TagPrefix != "" && strings.HasPrefix(prefix, b.TagPrefix) {
			k.fail(path, fmt.Sprintf("is %q, but the rule for %q before it takes all its tags", prefix, b.TagPrefix), "put the longer prefix first")
			return
		}
	}
}

// hexDigits returns text in upper case without the separators that people write into tag
// ids; ok is false if anything else is in it.
func hexDigits(text string) (digits string, ok bool) {
	text = strings.ToUpper(strings.NewReplacer(":", "", "-", "", " ", "").Replace(text))
	return text, strings.Trim(text, "0123456789ABCDEF") == ""
}

func (k *checker) offline() {
	o := k.p.Offline
	k.positive("offline.after", o.After)
}

func (k *checker) positive(path string, d time.Duration) {
	if d == 0 {
		k.fail(path, "is 0s; it must be longer", `write "2s", or remove it for the usual value`)
	}
}

// badges brings the tag ids into their one form.
func (k *checker) badges() {
	badges := make(map[string]string, len(k.p.Badges))
	for _, tag := range slices.Sorted(maps.Keys(k.p.Badges)) {
		path, name := joined("badges", tag), k.p.Badges[tag]
		id, ok := hexDigits(tag)
		switch {
		case !ok || len(id) < 8 || len(id)%2 != 0 || len(id) > 64:
			k.fail(path, "is no tag id", `write 4 to 32 bytes in hexadecimal, like "04A1B2C3D4E5F6"`)
			continue
		case strings.Trim(id, "0") == "" || strings.Trim(id, "F") == "":
			k.fail(path, "is no real tag id; readers give it for a tag they could not read", "present the badge to \"traveler reader watch\"")
			continue
		case badges[id] != "":
			k.fail(path, fmt.Sprintf("is the tag %s, which is given twice", id), "keep one")
			continue
		}
		if k.id(path, name) {
			badges[id] = name
			k.p.origins[joined("badges", id)] = k.p.origins[path]
		}
	}
	k.p.Badges = badges
}

func (k *checker) broker() {
	b := &k.p.Broker
	if b.ClientID == "" && !k.given("broker.client_id") {
		b.ClientID = k.p.Gateway
	}
	if k.given("broker.client_id") {
		k.id("broker.client_id", b.ClientID)
	}
	for i, u := range b.URLs {
		if problem := brokerURLProblem(u); problem != "" {
			k.fail(fmt.Sprintf("broker.urls[%d]", i), fmt.Sprintf("is %q, which %s", clipped(u), problem),
				`write it like "mqtt://broker.plant:1883", or "mqtts://broker.plant:8883" for TLS`)
		} else if slices.Contains(b.URLs[:i], u) {
			k.fail(fmt.Sprintf("broker.urls[%d]", i), fmt.Sprintf("is %q, as one before", u), "give each broker once")
		}
	}
	if b.Listen != "" {
		host, port, err := net.SplitHostPort(b.Listen)
		if err != nil || !validPort(port) {
			k.fail("broker.listen", fmt.Sprintf("is %q, which is no host:port", clipped(b.Listen)), `write it like "127.0.0.1:1883" or "0.0.0.0:1883"`)
			k.certificates()
			return
		}
		if len(b.URLs) == 0 && !k.given("broker.urls") {
			if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
				host = "127.0.0.1"
			}
			b.URLs = []string{k.scheme() + "://" + net.JoinHostPort(host, port)}
		}
	}
	k.certificates()
	if len(b.URLs) == 0 {
		k.missing("broker.urls", `add %s = ["mqtt://broker.plant:1883"], or listen = "0.0.0.0:1883" to serve one here,`)
	}
}

// brokerURLProblem says what is wrong with a broker's URL.
func brokerURLProblem(text string) string {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return "is no URL"
	case u.Scheme == "ssl" || u.Scheme == "tls" || u.Scheme == "mqtt+ssl":
		return "asks for TLS in other words: it is written mqtts:// here"
	case u.Scheme != schemeClear && u.Scheme != schemeTLS:
		return "does not begin with mqtt:// or mqtts://"
	case u.User != nil:
		return "holds credentials; a gateway shows its certificate (certificate_file) instead"
	case u.Hostname() == "":
		return "names no host"
	case !validPort(u.Port()):
		return "names no port between 1 and 65535"
	case u.Path != "" || u.RawQuery != "" || u.Fragment != "":
		return "goes on after the port"
	}
	return ""
}

// The schemes of brokers.
const (
	schemeClear = "mqtt"
	schemeTLS   = "mqtts"
)

// scheme is how this gateway speaks to brokers.
func (k *checker) scheme() string {
	if k.p.Broker.CAFile != "" {
		return schemeTLS
	}
	return schemeClear
}

// certificates checks the files of TLS, and that the URLs agree with them: one in
// clear beside others over TLS would be what an attacker makes the gateway use.
func (k *checker) certificates() {
	b := &k.p.Broker
	k.path("broker.ca_file", &b.CAFile)
	k.path("broker.certificate_file", &b.CertificateFile)
	k.path("broker.certificate_key_file", &b.CertificateKeyFile)
	needed := func(path, value, why string) {
		if value == "" && !k.given(path) {
			k.missing(path, why)
		}
	}
	for i, u := range b.URLs {
		path := fmt.Sprintf("broker.urls[%d]", i)
		switch secure := strings.HasPrefix(u, schemeTLS+":"); {
		case secure:
			needed("broker.ca_file", b.CAFile, `say who vouches for the brokers: %s = "ca.crt"`)
		case b.CAFile != "" && strings.HasPrefix(u, schemeClear+":"):
			k.fail(path, fmt.Sprintf("is %q, in clear beside a ca_file", clipped(u)), "write mqtts:// and the broker's port for TLS (usually 8883), or remove ca_file")
		}
	}
	if b.CAFile == "" {
		for path, value := range map[string]string{"broker.certificate_file": b.CertificateFile, "broker.certificate_key_file": b.CertificateKeyFile} {
			if value != "" {
				k.fail(path, "stands there without ca_file", `add ca_file = "ca.crt", or remove it`)
			}
		}
		return
	}
	if b.CertificateFile != "" || b.CertificateKeyFile != "" || b.Listen != "" {
		needed("broker.certificate_file", b.CertificateFile, `add %s = "board.crt"`)
		needed("broker.certificate_key_file", b.CertificateKeyFile, `add %s = "board.key"`)
	}
}

func validPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

func (k *checker) ledger() {
	l := k.p.Ledger
	if l.FreeSpaceReserve < 64<<20 {
		k.fail("ledger.free_space_reserve", fmt.Sprintf("is %s; with less than 64 MiB the store cannot tidy up and dies", l.FreeSpaceReserve), `write "256 MiB"`)
	}
}
