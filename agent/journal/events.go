package journal

import "log/slog"

// ID names one kind of event. It is stable for ever: searches
// (journalctl TRAVELER_EVENT=reader.down) and dashboards rest on it.
type ID string

// The events of a gateway. The message catalog says for each what it means for the
// line and what to do.
const (
	DaemonReady    ID = "daemon.ready"    // the gateway serves its station
	DaemonStopping ID = "daemon.stopping" // the gateway was told to end and ends in order
	DaemonFailed   ID = "daemon.failed"   // the gateway cannot go on and ends
	DaemonStalled  ID = "daemon.stalled"  // a loop of the daemon does not answer; the watchdog will restart it
	DaemonMoving   ID = "daemon.moving"   // the loop answers again

	KeyRefused ID = "key.refused" // the key file cannot be used

	GenesisRefused ID = "genesis.refused" // the genesis file cannot be used

	ProfileReloaded      ID = "profile.reloaded"       // a changed profile is in force
	ProfileRefused       ID = "profile.refused"        // a changed profile cannot be used
	ProfileRestartNeeded ID = "profile.restart-needed" // a part of a changed profile waits for a restart

	CertificateExpiring ID = "certificate.expiring" // a certificate for TLS will expire soon
	CertificateExpired  ID = "certificate.expired"  // a certificate for TLS has expired
	CertificateRenewed  ID = "certificate.renewed"  // a certificate that had expired is replaced
	CertificateRefused  ID = "certificate.refused"  // the files of TLS cannot be used

	ControlRefused ID = "control.refused" // a request on the control socket was refused

	BadgeLogin   ID = "badge.login"   // a badge began a shift at the station
	BadgeLogout  ID = "badge.logout"  // a shift ended
	BadgeRefused ID = "badge.refused" // a badge whose identity the roster does not accept

	ScanTakenIn      ID = "scan.taken-in"      // a new item was taken in
	ScanAccepted     ID = "scan.accepted"      // the item was accepted for work here
	ScanCompleted    ID = "scan.completed"     // the operation was completed
	ScanRejected     ID = "scan.rejected"      // a check failed: the item was returned or set aside
	ScanWrongStation ID = "scan.wrong-station" // the item belongs elsewhere
	ScanWait         ID = "scan.wait"          // the item cannot be decided on yet
	ScanResolved     ID = "scan.resolved"      // what the item waited for is here
	ScanConflict     ID = "scan.conflict"      // the scanned item is in conflict
	ScanChoose       ID = "scan.choose"        // several open items carry this tag
	ScanTagInUse     ID = "scan.tag-in-use"    // the tag at intake is still bound to an open item
	ScanUnknownTag   ID = "scan.unknown-tag"   // no item known here carries the tag
	ScanUnnamed      ID = "scan.unnamed"       // what counts of a tag at its reader cannot be told
	ScanAlreadyDone  ID = "scan.already-done"  // the item has been completed here before
	ScanTooSoon      ID = "scan.too-soon"      // a second scan before the minimum dwell
	ScanLiftAgain    ID = "scan.lift-again"    // a tag lay on the reader when it came up
	ScanRepeated     ID = "scan.repeated"      // after a start the first scan repeats what was accepted
	ScanPartAdded    ID = "scan.part-added"    // a part was added to an assembly
	ScanWrongPart    ID = "scan.wrong-part"    // a part the assembly does not need
	ScanCancelled    ID = "scan.cancelled"     // what lay on the readers, or a question, was given up
	ScanSeveral      ID = "scan.several"       // several tags lie on one reader

	NoteWritten      ID = "note.written"      // a hand-off note is on a tag
	NoteUnwritten    ID = "note.unwritten"    // a tag carries no hand-off note
	NoteAccepted     ID = "note.accepted"     // an item goes on by the note of its tag
	NoteRefused      ID = "note.refused"      // the note on a tag is not gone by
	NoteMatched      ID = "note.matched"      // the report that a note stood for is here and as it said
	NoteContradicted ID = "note.contradicted" // the ledger says something else than a note

	ReaderDown  ID = "reader.down"  // a reader does not answer
	ReaderUp    ID = "reader.up"    // the reader answers again
	ReaderFault ID = "reader.fault" // a reader sent what cannot be right

	ReaderForgot    ID = "reader.forgot"    // a reader had lost its settings
	ReaderNeighbour ID = "reader.neighbour" // a tag of the neighbour's was heard and left out
	ReaderWeakTag   ID = "reader.weak-tag"  // a tag is read only now and then
	ReaderCrowded   ID = "reader.crowded"   // more tags at once than a reader may have

	PortBusy ID = "port.busy" // another program holds the port
	PortFree ID = "port.free" // the port is ours again

	PortDenied  ID = "port.denied"  // this program may not open the port
	PortSpeed   ID = "port.speed"   // what is on the port speaks at another speed
	PortSwapped ID = "port.swapped" // another device answers on the port than the profile names

	ScaleFault   ID = "scale.fault"   // the scale does not answer
	ScaleBack    ID = "scale.back"    // the scale answers again
	ScaleRefused ID = "scale.refused" // the scale gave no usable weight

	ButtonFault ID = "button.fault" // a button is stuck, or cannot be read
	ButtonBack  ID = "button.back"  // the button works again

	HelpCalled ID = "help.called" // somebody at the station called for help
	HelpEnded  ID = "help.ended"  // the call for help has ended

	LightFault ID = "light.fault" // a light cannot be driven
	LightBack  ID = "light.back"  // the light can be driven again

	BrokerLost      ID = "broker.lost"      // no broker is connected
	BrokerBack      ID = "broker.back"      // a broker is connected again
	BrokerSwitched  ID = "broker.switched"  // another broker of the profile is in use
	BrokerRefused   ID = "broker.refused"   // a broker refuses this gateway
	BrokerAdmitted  ID = "broker.admitted"  // the broker admits this gateway again
	BrokerUntrusted ID = "broker.untrusted" // a broker's certificate does not hold
	BrokerTrusted   ID = "broker.trusted"   // the broker's certificate holds
	BrokerListening ID = "broker.listening" // this gateway serves the broker
	BrokerFailed    ID = "broker.failed"    // this gateway cannot serve the broker

	ClockUnsynchronised ID = "clock.unsynchronised" // the clock is not synchronised
	ClockBack           ID = "clock.back"           // the clock is synchronised again
	ClockStepped        ID = "clock.stepped"        // the clock was set to another time

	ReplicaBusy      ID = "replica.busy"       // another process has the directory of the replica open
	ReplicaFull      ID = "replica.full"       // free space is below the reserve: nothing is written
	ReplicaSpaceBack ID = "replica.space-back" // there is free space again
	ReplicaFilling   ID = "replica.filling"    // the disk will be full soon
	ReplicaDamaged   ID = "replica.damaged"    // stored bytes are not what was stored
	ReplicaMended    ID = "replica.mended"     // what was damaged is whole again
	ReplicaUnsynced  ID = "replica.unsynced"   // the replica runs without flushing to the disk

	AppendFailed ID = "append.failed" // a block could not be made durable
	AppendBack   ID = "append.back"   // blocks are durable again

	ChainLost         ID = "chain.lost"          // the end of the own chain is lost: nothing is sealed
	ChainRestored     ID = "chain.restored"      // own blocks that were lost here came back from peers
	ChainBranchJoined ID = "chain.branch-joined" // two versions of this gateway's own chain were joined

	EvidenceFound ID = "evidence.found" // two versions of one gateway's chain exist

	ItemConflict ID = "item.conflict" // an item has more than one valid head
	ItemRuled    ID = "item.ruled"    // the conflict of an item has ended

	RosterChanged ID = "roster.changed" // a roster statement took effect
	RosterRefused ID = "roster.refused" // a roster statement does not count

	StationDoubled    ID = "station.doubled"    // two gateways are assigned one station
	StationSingle     ID = "station.single"     // the station is assigned to one gateway again
	StationUnassigned ID = "station.unassigned" // the roster does not assign the profile's station to this gateway
	StationAssigned   ID = "station.assigned"   // the roster assigns the station to this gateway

	IdentityDoubled ID = "identity.doubled" // one name stands for two keys

	GatewayJoined  ID = "gateway.joined"  // a gateway was let in
	GatewayRevoked ID = "gateway.revoked" // a gateway was revoked

	TicketRedeemed ID = "ticket.redeemed" // this board enrolled itself with its ticket
	TicketRefused  ID = "ticket.refused"  // the ticket of this board cannot be redeemed
	TicketDoubled  ID = "ticket.doubled"  // several boards used one ticket

	PeerSilent ID = "peer.silent" // no peer has been heard for a while
	PeerBack   ID = "peer.back"   // peers are heard again

	SyncBehind   ID = "sync.behind"    // this gateway lacks blocks its peers hold
	SyncCaughtUp ID = "sync.caught-up" // this gateway holds what its peers hold

	MessageDropped ID = "message.dropped" // a message from the network was not believed

	OrderReceived  ID = "order.received"  // a work order arrived
	OrderCancelled ID = "order.cancelled" // a work order was cancelled or replaced
)

// table is the one list of all events. A MessageID was drawn once and never changes.
var table = []Definition{
	{ID: DaemonReady, MessageID: "ec8a7764122540d0906fe5706151515b", Level: LevelNotice, Fields: []string{KeyStation}},
	{ID: DaemonStopping, MessageID: "79fc301e87c547d3b99f62cd5800767f", Level: LevelNotice},
	{ID: DaemonFailed, MessageID: "6061e4b6f75f443e90eb679c51572b8d", Level: slog.LevelError, Fields: []string{KeyError}},
	{ID: DaemonStalled, MessageID: "7651d89166ca49c4a0a482670894e425", Level: slog.LevelError, EndedBy: DaemonMoving, Fields: []string{KeyReason}},
	{ID: DaemonMoving, MessageID: "6dd472a87db44e5b84b776f0549e9bfe", Level: LevelNotice, Fields: []string{KeyReason, KeyLasted}},
	{ID: KeyRefused, MessageID: "2b9449a25c3a4807a98534c7cbcd9f18", Level: slog.LevelError, Fields: []string{KeyPath, KeyError}},
	{ID: GenesisRefused, MessageID: "fb1e1004736948ce89a8e49188ebe967", Level: slog.LevelError, Fields: []string{KeyPath, KeyError}},
	{ID: ProfileReloaded, MessageID: "594d958d5025458496d95a3d9aca0992", Level: LevelNotice, Fields: []string{KeyPath}},
	{ID: ProfileRefused, MessageID: "94b3602113064491b1bea8aa49417c39", Level: slog.LevelError, Fields: []string{KeyPath, KeyError}},
	{ID: ProfileRestartNeeded, MessageID: "51cefc4c8f914852aeca4bec4b5578e3", Level: slog.LevelWarn, Fields: []string{KeyPath, KeyReason}},
	{ID: CertificateExpiring, MessageID: "5bfb32a062284bababb86e740d65b73f", Level: slog.LevelWarn, Fields: []string{KeyPath, KeyFound, KeyExpected}},
	{ID: CertificateExpired, MessageID: "4093bf77c9ad43c5af897b0d4d338760", Level: slog.LevelError, EndedBy: CertificateRenewed, Fields: []string{KeyPath, KeyFound, KeyExpected}},
	{ID: CertificateRenewed, MessageID: "709fc1b3e05740b1b23ae81a9a8ba864", Level: LevelNotice, Fields: []string{KeyPath, KeyFound, KeyExpected}},
	{ID: CertificateRefused, MessageID: "e348ac86759f40c5997be21d60ed3148", Level: slog.LevelError, Fields: []string{KeyPath, KeyError}},
	{ID: ControlRefused, MessageID: "9e8a46d6fd52436da9de36bf69547813", Level: slog.LevelWarn, Fields: []string{KeyReason}},
	{ID: BadgeLogin, MessageID: "6568c96acd894a1494cfc623b6575589", Level: slog.LevelInfo, Fields: []string{KeyOperator, KeyReader}},
	{ID: BadgeLogout, MessageID: "889f71504ead483ba2f0cd08bc10aa7c", Level: slog.LevelInfo, Fields: []string{KeyOperator}},
	{ID: BadgeRefused, MessageID: "8889fc1be991480982a3ac1e2a6e44e7", Level: slog.LevelWarn, Fields: []string{KeyOperator, KeyReader, KeyReason}},
	{ID: ScanTakenIn, MessageID: "cc5fb7fe0daa48cfa6d6c7c6a45715d3", Level: slog.LevelInfo, Fields: []string{KeyItem, KeyTag, KeyReader, KeyStation, KeyOrder}},
	{ID: ScanAccepted, MessageID: "e63bbb24104e48828f73627d45006c5f", Level: slog.LevelInfo, Fields: []string{KeyItem, KeyTag, KeyReader, KeyStation, KeyTask}},
	{ID: ScanCompleted, MessageID: "d87c959f1a19487cbc6e901528224c1e", Level: slog.LevelInfo, Fields: []string{KeyItem, KeyTag, KeyReader, KeyStation, KeyTask}},
	{ID: ScanRejected, MessageID: "b8edd2d443a841959038361d55a3c319", Level: slog.LevelWarn, Fields: []string{KeyItem, KeyTag, KeyReader, KeyStation, KeyDecision, KeyReason, KeyExpected, KeyFound}},
	{ID: ScanWrongStation, MessageID: "a076e1b8390747bf967cbe4d274876c4", Level: slog.LevelWarn, Fields: []string{KeyItem, KeyTag, KeyReader, KeyStation, KeyExpected}},
	{ID: ScanWait, MessageID: "c68c00bd380149f28511e727fa327863", Level: slog.LevelInfo, EndedBy: ScanResolved, Fields: []string{KeyTag, KeyReader, KeyStation, KeyReason}},
	{ID: ScanResolved, MessageID: "3ce3a3411a924b25aa24fc3b90a043ea", Level: slog.LevelInfo, Fields: []string{KeyTag, KeyReader, KeyStation}},
	{ID: ScanConflict, MessageID: "3cac66f4b8e6461fbb90b4266e970703", Level: slog.LevelWarn, Fields: []string{KeyItem, KeyTag, KeyReader, KeyStation}},
	{ID: ScanChoose, MessageID: "378e27f6579247e9876b9191a3377712", Level: slog.LevelInfo, Fields: []string{KeyTag, KeyReader, KeyStation}},
	{ID: ScanTagInUse, MessageID: "108a7195a5d14e69b4cae80ab3815a72", Level: slog.LevelWarn, Fields: []string{KeyItem, KeyTag, KeyReader, KeyStation}},
	{ID: ScanUnknownTag, MessageID: "d2ca2d9e3ba948b39eda4e1bc7636326", Level: slog.LevelWarn, Fields: []string{KeyTag, KeyReader, KeyStation}},
	{ID: ScanUnnamed, MessageID: "c54bb83699664a71b464473c9fcf226d", Level: slog.LevelWarn, Fields: []string{KeyTag, KeyReader, KeyReason, KeyRemedy}},
	{ID: ScanAlreadyDone, MessageID: "124599870b764116ae760df488b0efe1", Level: slog.LevelInfo, Fields: []string{KeyItem, KeyTag, KeyReader, KeyStation}},
	{ID: ScanTooSoon, MessageID: "ce531b99a061486ea52f1e1e19405d8b", Level: slog.LevelInfo, Fields: []string{KeyItem, KeyTag, KeyReader, KeyStation}},
	{ID: ScanLiftAgain, MessageID: "c0e6a4321c6d4c5e9565f14064ac0538", Level: slog.LevelInfo, Fields: []string{KeyTag, KeyReader}},
	{ID: ScanRepeated, MessageID: "a45f20f6a9da4a8d8e32dd922abbccdd", Level: slog.LevelInfo, Fields: []string{KeyItem, KeyTag, KeyReader, KeyStation, KeyTask}},
	{ID: ScanPartAdded, MessageID: "0bc29114afcd407d902151b5c7ad0bb5", Level: slog.LevelInfo, Fields: []string{KeyItem, KeyTag, KeyReader, KeyStation}},
	{ID: ScanWrongPart, MessageID: "c9ff56bd01fb470288f1eb5a4366571c", Level: slog.LevelWarn, Fields: []string{KeyItem, KeyTag, KeyReader, KeyStation, KeyExpected}},
	{ID: ScanCancelled, MessageID: "1fa5d9ab943047a4bc48bac97d1e949c", Level: slog.LevelInfo, Fields: []string{KeyStation}},
	{ID: NoteWritten, MessageID: "961e095abff950ae13e4416dffaaa228", Level: slog.LevelInfo, Fields: []string{KeyItem, KeyTag, KeyReader}},
	{ID: NoteUnwritten, MessageID: "902603e0586678324c2868f8dc9aa0f7", Level: slog.LevelInfo, Fields: []string{KeyItem, KeyTag, KeyReader, KeyReason, KeyRemedy}},
	{ID: NoteAccepted, MessageID: "58265a46401f1aff07810dc4be5419d9", Level: slog.LevelInfo, Fields: []string{KeyItem, KeyTag, KeyReader, KeyFound}},
	{ID: NoteRefused, MessageID: "4c04e6e32a931bb3f059853109cab3cf", Level: slog.LevelWarn, Fields: []string{KeyItem, KeyTag, KeyReader, KeyReason, KeyFound, KeyRemedy}},
	{ID: NoteMatched, MessageID: "d9cbbd8de9e44d12c969fdfbcf95722e", Level: slog.LevelInfo, Fields: []string{KeyItem}},
	{ID: NoteContradicted, MessageID: "bd74d98b085eff6b8c97b371067d5974", Level: slog.LevelWarn, Fields: []string{KeyItem, KeyFound}},
	{ID: ScanSeveral, MessageID: "143abda8b7ad4595bfcc0e193db3da78", Level: slog.LevelInfo, Fields: []string{KeyTag, KeyReader, KeyFound}},
	{ID: ReaderDown, MessageID: "141554c0f5d64402b6cd98fd61506d88", Level: slog.LevelError, EndedBy: ReaderUp, Fields: []string{KeyReader, KeyPort, KeyError}},
	{ID: ReaderUp, MessageID: "1c3ef4847ddb472b88c438d42c5593d4", Level: LevelNotice, Fields: []string{KeyReader, KeyPort}},
	{ID: ReaderFault, MessageID: "a5720a9dae3240ed940e9c4cf1b65d09", Level: slog.LevelWarn, Fields: []string{KeyReader, KeyReason}},
	{ID: ReaderForgot, MessageID: "00fa379e340b44e4bb8550bb51654a57", Level: slog.LevelWarn, Fields: []string{KeyReader, KeyReason}},
	{ID: ReaderNeighbour, MessageID: "1877619a79c14526af0edc3fd7152e3e", Level: slog.LevelInfo, Fields: []string{KeyReader, KeyReason}},
	{ID: ReaderWeakTag, MessageID: "d3672c9e774e421681bde359974ff53c", Level: slog.LevelWarn, Fields: []string{KeyReader, KeyTag, KeyReason}},
	{ID: ReaderCrowded, MessageID: "0d8f8003195d4d3f81226a44ae2f320e", Level: slog.LevelWarn, Fields: []string{KeyReader, KeyReason}},
	{ID: PortBusy, MessageID: "c64ae89c7ebf48daa357e0ae8b202038", Level: slog.LevelError, EndedBy: PortFree, Fields: []string{KeyPort, KeyError}},
	{ID: PortDenied, MessageID: "a7be885afeb14739aaf96a20c4989c24", Level: slog.LevelError, EndedBy: PortFree, Fields: []string{KeyPort, KeyError}},
	{ID: PortSpeed, MessageID: "3323613fbc28409dbdf775cfac767ec4", Level: slog.LevelError, Fields: []string{KeyDevice, KeyPort, KeyReason}},
	{ID: PortSwapped, MessageID: "ab81980b5c5345deabe00dcb4fa6ea74", Level: slog.LevelError, Fields: []string{KeyDevice, KeyPort, KeyReason}},
	{ID: PortFree, MessageID: "4509e48b00dc4919ba7b8e3e550fd536", Level: LevelNotice, Fields: []string{KeyPort}},
	{ID: ScaleFault, MessageID: "3a10eaecdac24d909d724ebdebdcbbf3", Level: slog.LevelError, EndedBy: ScaleBack, Fields: []string{KeyDevice, KeyPort, KeyError}},
	{ID: ScaleBack, MessageID: "22e81fc4cb0c4c61a4cf004a13328ae9", Level: LevelNotice, Fields: []string{KeyDevice, KeyPort}},
	{ID: ScaleRefused, MessageID: "54b9886180564af086f5d56909bf595a", Level: slog.LevelWarn, Fields: []string{KeyDevice, KeyReason}},
	{ID: ButtonFault, MessageID: "b775990d44c04910808576280ef93638", Level: slog.LevelError, EndedBy: ButtonBack, Fields: []string{KeyDevice, KeyPort, KeyError}},
	{ID: ButtonBack, MessageID: "c45e348341f24298962c2c9897ec563c", Level: LevelNotice, Fields: []string{KeyDevice, KeyPort}},
	{ID: HelpCalled, MessageID: "6b85e1913f2e4c24acb54d362a39019b", Level: slog.LevelWarn, EndedBy: HelpEnded, Fields: []string{KeyStation, KeyOperator, KeyDevice}},
	{ID: HelpEnded, MessageID: "83de182f970147c5883c40c551830063", Level: LevelNotice, Fields: []string{KeyStation, KeyOperator}},
	{ID: LightFault, MessageID: "c028b9d0c880443b95d63c2ae26f4408", Level: slog.LevelError, EndedBy: LightBack, Fields: []string{KeyDevice, KeyError}},
	{ID: LightBack, MessageID: "178b371cd3a24d12a0359e14068fad84", Level: LevelNotice, Fields: []string{KeyDevice}},
	{ID: BrokerLost, MessageID: "e15d0ef7d6824f88aadba39c6b844895", Level: slog.LevelWarn, EndedBy: BrokerBack, Fields: []string{KeyError}},
	{ID: BrokerBack, MessageID: "7f0ed635560b4814b0bcbfaca68326ad", Level: LevelNotice, Fields: []string{KeyBroker}},
	{ID: BrokerSwitched, MessageID: "3323dc39ee3a472facd31f6226dc3c6a", Level: LevelNotice, Fields: []string{KeyBroker}},
	{ID: BrokerRefused, MessageID: "ac6642e1f0eb4852b4539245e89c3852", Level: slog.LevelError, EndedBy: BrokerAdmitted, Fields: []string{KeyBroker, KeyError}},
	{ID: BrokerAdmitted, MessageID: "7053b26a850c441d8fd12943c1fce856", Level: LevelNotice, Fields: []string{KeyBroker}},
	{ID: BrokerUntrusted, MessageID: "a805d7a2b84447128bfeda921f770793", Level: slog.LevelError, EndedBy: BrokerTrusted, Fields: []string{KeyBroker, KeyError}},
	{ID: BrokerTrusted, MessageID: "4265898f7b0e496a840dc5b7af2f6df6", Level: LevelNotice, Fields: []string{KeyBroker}},
	{ID: BrokerListening, MessageID: "4f6da1916d174f2bb13271ca908681fa", Level: LevelNotice, Fields: []string{KeyBroker}},
	{ID: BrokerFailed, MessageID: "1df955fa29da467f944dfa4174a0b416", Level: slog.LevelError, EndedBy: BrokerListening, Fields: []string{KeyBroker, KeyError}},
	{ID: ClockUnsynchronised, MessageID: "b127071df1fe4ea995f917370e0d01f0", Level: slog.LevelWarn, EndedBy: ClockBack},
	{ID: ClockBack, MessageID: "5ff4ff0c9ac74c4184e6ff9e9b311142", Level: LevelNotice},
	{ID: ClockStepped, MessageID: "2ec20f5123c34d0baede67b48267dcd3", Level: slog.LevelWarn, Fields: []string{KeyFound}},
	{ID: ReplicaBusy, MessageID: "4fc43d5f273e42bbb5273dbd9ad134b6", Level: slog.LevelError, Fields: []string{KeyPath}},
	{ID: ReplicaFull, MessageID: "610552822ba84e4bba1da7909b744646", Level: slog.LevelError, EndedBy: ReplicaSpaceBack, Fields: []string{KeyPath, KeyFree, KeyExpected}},
	{ID: ReplicaSpaceBack, MessageID: "e1b3b5d196a34411bf3dba7a81b1d53b", Level: LevelNotice, Fields: []string{KeyPath, KeyFree}},
	{ID: ReplicaFilling, MessageID: "58f11b9ba70549088d674dff90189744", Level: slog.LevelWarn, Fields: []string{KeyPath, KeyFree}},
	{ID: ReplicaDamaged, MessageID: "07a74796419c4ebbae4f3fdf198641b3", Level: slog.LevelError, EndedBy: ReplicaMended, Fields: []string{KeyPath, KeyBlock, KeyError}},
	{ID: ReplicaMended, MessageID: "5b1f0a9e2d6c4f4b9a83c7e0d91f6a24", Level: LevelNotice, Fields: []string{KeyPath}},
	{ID: ReplicaUnsynced, MessageID: "203b3eda86fa455d8936a088771f7d06", Level: slog.LevelWarn, Fields: []string{KeyPath}},
	{ID: AppendFailed, MessageID: "0a007612ade6465bad32b3ba9954035a", Level: slog.LevelError, EndedBy: AppendBack, Fields: []string{KeyError}},
	{ID: AppendBack, MessageID: "67f4f7e24c164e168fd74d13e1e1409f", Level: LevelNotice},
	{ID: ChainLost, MessageID: "c2e47d0b6a5f4e0f8d3b1795ae60c8d7", Level: slog.LevelError, EndedBy: ChainRestored, Fields: []string{KeyBlock}},
	{ID: ChainRestored, MessageID: "6f79a8c772564f73a573c44e342595bc", Level: LevelNotice, Fields: []string{KeyBlock}},
	{ID: ChainBranchJoined, MessageID: "e37537906aad4699968bbdedc72e86b6", Level: slog.LevelWarn, Fields: []string{KeyBlock}},
	{ID: EvidenceFound, MessageID: "444dc8f3795344558075bbd46b55222c", Level: slog.LevelWarn, Fields: []string{KeyPeer, KeyBlock}},
	{ID: ItemConflict, MessageID: "a8ea5f82d2054bc091af45e351e86ec5", Level: slog.LevelWarn, EndedBy: ItemRuled, Fields: []string{KeyItem}},
	{ID: ItemRuled, MessageID: "b89d09e0a4584654a2ca2e1cec3c0212", Level: LevelNotice, Fields: []string{KeyItem}},
	{ID: RosterChanged, MessageID: "11d4074cb7cf41bc8c33c28e94986cf6", Level: LevelNotice},
	{ID: RosterRefused, MessageID: "3d4c28b20fd642d285e24fa521e58793", Level: slog.LevelWarn, Fields: []string{KeyReason}},
	{ID: StationDoubled, MessageID: "51066feabefb4943991181a5bb724e99", Level: slog.LevelWarn, EndedBy: StationSingle, Fields: []string{KeyStation, KeyPeer}},
	{ID: StationSingle, MessageID: "f1866e673c494f03ab5fc8a97dc02861", Level: LevelNotice, Fields: []string{KeyStation}},
	{ID: StationUnassigned, MessageID: "87c2d2ba9c984437bca53b236d8a9391", Level: slog.LevelError, EndedBy: StationAssigned, Fields: []string{KeyStation}},
	{ID: StationAssigned, MessageID: "2a9161113b944729b1fd52230de78676", Level: LevelNotice, Fields: []string{KeyStation}},
	{ID: IdentityDoubled, MessageID: "0adfe39be387459daf2567e1fe24134f", Level: slog.LevelWarn, Fields: []string{KeyOperator}},
	{ID: GatewayJoined, MessageID: "74f5bda043054b73ba5b45d3247aa524", Level: LevelNotice, Fields: []string{KeyPeer}},
	{ID: GatewayRevoked, MessageID: "747b565871784a98b0384546cf3bb90b", Level: slog.LevelWarn, Fields: []string{KeyPeer}},
	{ID: TicketRedeemed, MessageID: "4ff05c658ebf41a29f2c824aeef033ed", Level: LevelNotice, Fields: []string{KeyPath, KeyPeer}},
	{ID: TicketRefused, MessageID: "f482642884094a7ab21686445597f2ca", Level: slog.LevelError, Fields: []string{KeyPath, KeyError}},
	{ID: TicketDoubled, MessageID: "584ed0b0d94b4191b8777099428cc13c", Level: slog.LevelWarn, Fields: []string{KeyPeer, KeyFound}},
	{ID: PeerSilent, MessageID: "d7786037d4574c21ac5738717ce3bfe6", Level: slog.LevelWarn, EndedBy: PeerBack},
	{ID: PeerBack, MessageID: "51c38eb9bed84ace8fbc74a657c8ba1c", Level: LevelNotice},
	{ID: SyncBehind, MessageID: "208f50c4fbf74f12a595dc60da988f42", Level: slog.LevelWarn, EndedBy: SyncCaughtUp, Fields: []string{KeyLag}},
	{ID: SyncCaughtUp, MessageID: "1b1eb3e875f14df4aac4428db620fae0", Level: LevelNotice},
	{ID: MessageDropped, MessageID: "953907f74eb744a4a3996f97dcaf1af7", Level: slog.LevelWarn, Fields: []string{KeyReason}},
	{ID: OrderReceived, MessageID: "b35ac6d0e70349a0a962065aded5d012", Level: slog.LevelInfo, Fields: []string{KeyOrder}},
	{ID: OrderCancelled, MessageID: "c00571ed38144465aa985ba0f3e5a76c", Level: LevelNotice, Fields: []string{KeyOrder}},
}
