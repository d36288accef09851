"""Live bars from Interactive Brokers.

source     what the daemon is given                 state      the connection's states
client     the only file that knows the library     messages   what it says, as values
link       connections, one after the other         errors     what each code means
poller     what is asked when                       pacing     how often one may ask
asking     one symbol's turn                        history    windows, joining, finality
answers    bars and refusals taken in               split      restated bars
lookup     contracts                                contracts  the hours they state
situation  where the feed stands, who is told       resets     planned outages
probe, probe_verb   `papertape probe`               tasks      what runs beside the poller
"""
