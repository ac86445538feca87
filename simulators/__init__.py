"""Stand-ins for the outside services that speak their real wire protocols, over one simulated world.

Put here: the seeded world and one server a service, importing domain only.
Keep out: our clients and parsers: a shared bug would agree with itself.
"""
