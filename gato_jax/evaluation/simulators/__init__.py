"""The simulators of a task: in this process, or spread over worker processes while one policy acts in all of them."""
