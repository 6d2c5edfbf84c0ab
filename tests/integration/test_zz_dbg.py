from tests.integration.test_worker_recovery import *
import time
def test_x(instance):
    wire = instance.wire
    ids = instance.customers(CUSTOMERS)
    publish_orders(wire, ids)
    with instance.worker() as worker:
        time.sleep(6)
        print(Counter((d["trigger"],d["outcome"],d["reason"]) for d in wire.values("decisions")))
        print(len(wire.values("dispatch")))
        print(worker.get("/metrics")[1])
        print(worker.log[-1500:])
    assert 0
