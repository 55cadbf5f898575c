package epc

import (
	"fmt"
	"strings"
)

// CanonicalDomain is where GS1 itself resolves Digital Links, and what canonical
// ones begin with.
const CanonicalDomain = "https://id.gs1.org"

// DigitalLink returns the GS1 Digital Link under a domain, or a path on one, such
// as [CanonicalDomain]: https://id.gs1.org/01/80614141123458/21/6789. A GID has no
// such form: false.
func (id Identity) DigitalLink(domain string) (string, bool) {
	var b strings.Builder
	b.WriteString(strings.TrimRight(domain, "/"))
	all := id.elements()
	for _, e := range all {
		fmt.Fprintf(&b, "/%s/%s", e.ai, escape(e.value, escapedInLink))
	}
	if len(all) == 0 {
		return "", false
	}
	return b.String(), true
}

// ParseDigitalLink reads an uncompressed GS1 Digital Link with numeric
// application identifiers on any domain. What stands in front of the key in the
// path, the query, the fragment, and qualifiers that name no part of the identity
// (lot, variant) are left out. For prefixDigits and errors see [ParseElements].
func ParseDigitalLink(uri string, prefixDigits int) (Identity, error) {
	if len(uri) > longestText {
		return Identity{}, refuse("link", uri, "has %d characters, more than %d", len(uri), longestText)
	}
	scheme, rest, ok := strings.Cut(uri, "://")
	if !ok || !strings.EqualFold(scheme, "https") && !strings.EqualFold(scheme, "http") {
		return Identity{}, fmt.Errorf("%w: a link that does not begin with https://", ErrUnknown)
	}
	rest, _, _ = strings.Cut(rest, "#")
	rest, _, _ = strings.Cut(rest, "?")
	host, path, _ := strings.Cut(rest, "/")
	if host == "" {
		return Identity{}, refuse("link", uri, "names no domain")
	}
	segments := strings.Split(strings.TrimSuffix(path, "/"), "/")
	at := keySegment(segments)
	if at < 0 {
		return Identity{}, fmt.Errorf("%w: no key such as /01/ or /00/ in the path of a link", ErrUnknown)
	}
	var all []element
	for ; at < len(segments); at += 2 {
		value, err := unescape("link", segments[at+1])
		if err != nil {
			return Identity{}, err
		}
		if ai := segments[at]; len(ai) < 2 || len(ai) > 4 || !isDigits(ai) {
			return Identity{}, refuse("link", ai, "must be an application identifier such as 21")
		}
		all = append(all, element{segments[at], value})
	}
	return identify(all, prefixDigits)
}

// keySegment returns where the key begins: the last segment that is one and has
// pairs of identifier and value from there to the end.
func keySegment(segments []string) int {
	for i := len(segments) - 2; i >= 0; i -= 2 {
		for _, k := range keys() {
			if segments[i] == k.ai {
				return i
			}
		}
	}
	return -1
}
