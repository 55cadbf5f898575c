package agent

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"traveler.example/agent/mqtt"
	"traveler.example/agent/peer"
	"traveler.example/ledger"
)

// The files of a Mosquitto that serves a network, and where they are meant to lie.
const (
	MosquittoName  = "mosquitto.conf"
	AccessListName = "access.list"
	MosquittoDir   = "/etc/mosquitto/traveler"
	MosquittoPort  = 8883
)

// MosquittoConfig is what the configuration of a Mosquitto depends on. Zero
// values mean MosquittoDir, MosquittoPort, every address, and Mosquitto's own
// directory and user.
type MosquittoConfig struct {
	Dir     string // of certificate, key and access list on the broker's machine
	Port    uint16
	Address string // that it listens on
	Data    string // what is retained is kept there
	User    string
}

// Text writes the configuration (mosquitto.conf(5), version 2.0).
func (c MosquittoConfig) Text() []byte {
	if c.Dir == "" {
		c.Dir = MosquittoDir
	}
	if c.Port == 0 {
		c.Port = MosquittoPort
	}
	if c.Data == "" {
		c.Data = "/var/lib/mosquitto/"
	}
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# Mosquitto 2.0 for a Traveler network. Key and list must be readable by Mosquitto's user.")
	line("listener %s", strings.TrimSpace(fmt.Sprintf("%d %s", c.Port, c.Address)))
	line("cafile %s", filepath.Join(c.Dir, CACertName))
	line("certfile %s", filepath.Join(c.Dir, ServerCertName))
	line("keyfile %s", filepath.Join(c.Dir, ServerKeyName))
	line("# The certificate says who it is: the user of the access list is the gateway's key id.")
	line("require_certificate true")
	line("use_identity_as_username true")
	line("allow_anonymous false")
	line("acl_file %s", filepath.Join(c.Dir, AccessListName))
	line("# Bounds for what one gateway can make it hold; what is lost is asked for again.")
	line("message_size_limit %d", mqtt.DefaultMaxPayload)
	line("max_inflight_messages 64")
	line("max_queued_messages 4096")
	line("# The last status of each gateway outlives a restart.")
	line("persistence true")
	line("persistence_location %s/", strings.TrimSuffix(c.Data, "/"))
	if c.User != "" {
		line("user %s", c.User)
	}
	return b.Bytes()
}

// readMosquitto takes from a configuration what Text put there: the directory and
// the port, zero where it does not say.
func readMosquitto(path string) (dir string, port uint16) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", 0
	}
	for line := range strings.Lines(string(text)) {
		var n uint16
		if k, _ := fmt.Sscanf(line, "listener %d", &n); k == 1 {
			port = n
		}
		if file, ok := strings.CutPrefix(strings.TrimSpace(line), "cafile "); ok {
			dir = filepath.Dir(file)
		}
	}
	return dir, port
}

// AccessList writes who may publish what (mosquitto.conf(5), acl_file): every
// gateway reads all of the network, and says of itself only what is its own. %u
// is the user, the key id in the gateway's certificate; so the list holds for
// gateways that are let in later.
func AccessList(net ledger.NetworkID) []byte {
	topics := peer.TopicsOf(net)
	var b bytes.Buffer
	b.WriteString("# Who is known by a certificate may read everything of the network …\n")
	fmt.Fprintf(&b, "pattern read %s\n", topics.All())
	b.WriteString("# … and publish what it has to say (%u: its key id).\n")
	for _, filter := range topics.Sayable("%u") {
		fmt.Fprintf(&b, "pattern write %s\n", filter)
	}
	return b.Bytes()
}
